/** Outermost turns that do again what others did: they take the time that those took. */
import type { Env } from "../schedule/expr.ts";
import type { Loop, PreparedPart } from "../schedule/prepare.ts";
import { forward, markOf, movedBy, type Mark, type Skipper } from "./steady.ts";

/** When a form of turns is known. */
export type Known = {
  /** Once it was walked through so many times, */
  readonly times: number;
  /** and the last two of them took the same time; at the latest after so many. */
  readonly atMost: number;
};

/** Of two passages of one length, the share by which they may differ. */
const closeness = 1e-3;

type Passage = { readonly from: Mark; readonly to: Mark; readonly isSettled: boolean };

/**
 * A skipper that leaves out what `inner` does, and of the turns of an outermost `loop` those whose form is known, letting the time pass that the
 * last such turn took. `forms` are those of all parts together: cores that signal to one another leave out the same turns.
 */
export function repeater(
  part: PreparedPart,
  env: Env,
  loop: Loop,
  forms: readonly string[],
  { times, atMost }: Known,
  inner: Skipper,
): Skipper {
  const walked = countedBefore(forms);
  const passages = new Map<string, Passage>();
  const pass = (form: string, from: Mark, to: Mark): void => {
    const last = passages.get(form);
    const [took, before] = [movedBy(from, to), last ? movedBy(last.from, last.to) : 0];
    passages.set(form, { from, to, isSettled: Math.abs(took - before) <= closeness * took });
  };
  let before: { readonly index: number; readonly mark: Mark } | undefined;
  return (at, left, state) => {
    const steady = inner(at, left, state);
    if (at !== loop) return steady;
    if (steady > 0) {
      // What was walked through before were fewer turns than it takes until all are alike.
      before = undefined;
      passages.clear();
      return steady;
    }
    const index = forms.length - left;
    const mark = markOf(part, env, left, state);
    if (before?.index === index - 1) pass(forms[before.index] ?? "", before.mark, mark);
    let skipped = 0;
    for (; index + skipped < forms.length - 1; skipped++) {
      const passage = passages.get(forms[index + skipped] ?? "");
      const seen = walked[index + skipped] ?? 0;
      if (!passage || seen < (passage.isSettled ? times : atMost)) break;
      forward(state, passage.from, passage.to, movedBy(passage.from, passage.to), 1);
    }
    before = { index: index + skipped, mark: skipped > 0 ? markOf(part, env, left - skipped, state) : mark };
    return skipped;
  };
}

/** How many turns of its form stand before each. */
function countedBefore(forms: readonly string[]): readonly number[] {
  const times = new Map<string, number>();
  return forms.map((form) => {
    const before = times.get(form) ?? 0;
    times.set(form, before + 1);
    return before;
  });
}
