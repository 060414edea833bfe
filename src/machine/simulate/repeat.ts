/** Outermost turns that do again what others did: they take the time that those took. */
import type { Env } from "../schedule/expr.ts";
import type { Loop, PreparedPart } from "../schedule/prepare.ts";
import { forward, markOf, movedBy, type Mark, type Skipper } from "./steady.ts";

/**
 * A skipper that leaves out what `inner` does, and of the turns of an outermost `loop` those whose form was walked through so many times before,
 * letting the time pass that the last such turn took. `forms` are those of all parts together: cores that signal to one another leave out the
 * same turns.
 */
export function repeater(
  part: PreparedPart,
  env: Env,
  loop: Loop,
  forms: readonly string[],
  times: number,
  inner: Skipper,
): Skipper {
  const isKnown = repeated(forms, times);
  const passages = new Map<string, readonly [Mark, Mark]>();
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
    if (before?.index === index - 1) passages.set(forms[before.index] ?? "", [before.mark, mark]);
    let skipped = 0;
    for (; isKnown[index + skipped]; skipped++) {
      const passage = passages.get(forms[index + skipped] ?? "");
      if (!passage) break;
      forward(state, ...passage, movedBy(...passage), 1);
    }
    before = { index: index + skipped, mark: skipped > 0 ? markOf(part, env, left - skipped, state) : mark };
    return skipped;
  };
}

/** Which turns are walked through in their form so many times before; never the last. */
function repeated(forms: readonly string[], enough: number): readonly boolean[] {
  const times = new Map<string, number>();
  return forms.map((form, i) => {
    const walked = times.get(form) ?? 0;
    if (walked >= enough && i < forms.length - 1) return true;
    times.set(form, walked + 1);
    return false;
  });
}
