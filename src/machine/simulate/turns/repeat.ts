/** Outermost turns that do again what others did: they take the time that those took, or lie between those that took less and more. */
import type { Env } from "../../schedule/expr.ts";
import type { Loop, PreparedPart } from "../../schedule/prepare.ts";
import type { Clock } from "../clock.ts";
import { itineraryOf, keyOf, type Likeness } from "./itinerary.ts";
import type { Form } from "./forms.ts";
import { advance, markOf, timeBetween, passed, type Mark, type Passed, type Skipper } from "./steady.ts"; // prettier-ignore

/** Leaves out turns on the way, and in the end lets the time pass that they take. */
export type Repeater = { readonly skip: Skipper; readonly settle: (state: Clock) => void };

/** When a form of turns is known. */
export type Known = {
  /** Once it was walked through so many times, */
  readonly times: number;
  /** and the last two of them took the same time; at the latest after so many. */
  readonly atMost: number;
  /** Or after so many where it is so long that it goes round in itself and leaves engines as it would find them. */
  readonly ofLong: number;
};

/** Instructions of a long turn. */
const long = 1000;

/** Of two passages of one length, the share by which they may differ. */
const closeness = 1e-3;

type Passage = Passed & { readonly isSettled: boolean; readonly isFresh: boolean };

/**
 * Leaves out what `inner` does, and of the turns of an outermost `loop` those whose form is known, or lies between two that are walked
 * through. `forms` are those of all parts together: cores that signal to one another leave out the same turns.
 */
export function repeater(
  part: PreparedPart,
  env: Env,
  loop: Loop,
  forms: readonly Form[],
  { times, atMost, ofLong }: Known,
  inner: Skipper,
): Repeater {
  const itinerary = itineraryOf(forms);
  const passages = new Map<string, Passage>();
  /** How many passages of each form are to be added. */
  const owed = new Map<string, number>();
  const pass = (form: Form, from: Mark, to: Mark, isFresh: boolean): void => {
    const [key, time] = [keyOf(form), timeBetween(from, to)];
    const isSettled = Math.abs(time - (passages.get(key)?.time ?? 0)) <= closeness * time;
    passages.set(key, { ...passed(from, to, time), isSettled, isFresh });
  };
  const isTold = ({ of, before, instructions }: Likeness): boolean =>
    of.length > 1 ||
    of.every(({ key }) => {
      const passage = passages.get(key);
      const enough = passage?.isSettled === true ? times : atMost;
      return passage?.isFresh === true && before >= (instructions < long ? enough : Math.min(enough, ofLong));
    });
  let before: { readonly index: number; readonly mark: Mark } | undefined;
  return {
    skip: (turn, state) => {
      const steady = inner(turn, state);
      if (turn.loop !== loop) return steady;
      const { left } = turn;
      if (steady > 0) {
        // What was walked through before were fewer turns than it takes until all are alike.
        before = undefined;
        for (const [key, it] of passages) passages.set(key, { ...it, isFresh: false });
        return steady;
      }
      const index = forms.length - left;
      const mark = markOf(part, env, left, state);
      const last = before?.index === index - 1 ? forms[before.index] : undefined;
      // The first turn finds a cold machine.
      if (before && last) pass(last, before.mark, mark, before.index > 0);
      let skipped = 0;
      for (let it = itinerary[index]; it && isTold(it); it = itinerary[index + ++skipped])
        for (const { key, share } of it.of) owed.set(key, (owed.get(key) ?? 0) + share);
      before = { index: index + skipped, mark };
      return skipped;
    },
    settle: (state) => {
      for (const [key, n] of owed) {
        const passage = passages.get(key);
        if (!passage) throw new Error("a turn that was left out has none like it");
        advance(state, passage, n);
      }
    },
  };
}
