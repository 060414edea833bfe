/**
 * Launches with more work than any that is made, all of it one group's. What buffers and flags take turns by goes round in them, so that copies and
 * flags which do not agree show up however few turns the launches that are made have.
 */
import type { Diagnostic } from "../../support/diagnostics.ts";
import type { Profile } from "../profile.ts";
import type { PreparedPart } from "../schedule/prepare.ts";
import type { Coverage } from "./order/order.ts";
import type { Trial } from "./verify.ts";

/** How many times larger such launches are, one after another until all loops have gone round. */
export const growth = [1, 20_000];

/** What follows from the order of a core's own work. Boxes beyond tensors are no fault there: the tensors were not made for so much. */
const judged: ReadonlySet<string> = new Set<Diagnostic["code"]>([
  "schedule/race",
  "schedule/set-twice",
  "schedule/set-early",
  "schedule/never-set",
  "schedule/left-set",
  "schedule/deadlock",
  "schedule/counter",
  "schedule/alignment",
]);

export const isJudged = ({ code }: Diagnostic): boolean => judged.has(code);

const total = ({ sizes }: Trial): number => [...sizes.values()].reduce((n, it) => n + it, 0);

/** The largest of some trials. */
export const largest = (trials: readonly Trial[]): Trial | undefined =>
  trials.toSorted((a, b) => total(b) - total(a))[0];

/** A trial with its sizes grown alike, so that what adds up still does. */
export const grown = (trial: Trial, by: number): Trial => ({
  ...trial,
  sizes: new Map([...trial.sizes].map(([name, n]) => [name, n * by])),
});

/** Whether all loops took turns enough that each copy of what takes turns in them was used again. */
export const haveComeRound = (parts: readonly PreparedPart[], turns: Coverage["turns"]): boolean =>
  parts.every((part) => part.loops.every((loop) => (turns.get(loop) ?? 0) > loop.period));

/** A chip of one group. */
export const alone = (profile: Profile): Profile => ({
  ...profile,
  groups: { ...profile.groups, value: 1 },
});
