/** Outermost turns that begin as none did before: they take the time that those of their form took, or lie between those that took less and more. */
import type { Core } from "../../schedule/cores.ts";
import type { Clock } from "../clock.ts";
import type { Form } from "./forms.ts";
import { itineraryOf, keyOf, type Likeness } from "./itinerary.ts";
import type { Clocks } from "./moment.ts";
import { count, type Snapshot } from "./passed.ts";

/** When a form of turns is known. */
const enough = {
  /** Once it was walked through so many times, */
  times: 8,
  /** and the last two of them took the same time; at the latest after so many. */
  atMost: 24,
  /** Or after so many where it is so long that it goes round in itself and leaves engines as it would find them. */
  ofLong: 2,
} as const;

/** Instructions in a row that are left out at least, but at the end: turns that are walked through between others that are not begin as none would. */
const leastRun = 2000;

/** Instructions of a long turn. */
const long = 1000;

/** Of two passages of one length, the share by which they may differ. */
const closeness = 1e-3;

/** Turns of a form that were walked through: how long the last of them took, how many there were, and what cores did. */
type Passage = { readonly lengths: readonly number[]; readonly times: number; readonly done: Done };

/** Lengths kept in mind. */
const remembered = 24;

/** What cores do in a turn. */
export type Done = ReadonlyMap<Core, { readonly done: Snapshot }>;

export type Repeat = {
  /** A turn took so long. */
  readonly saw: (turn: number, time: number, done: Done) => void;
  /** How many turns are left out from this one on. */
  readonly pass: (turn: number) => number;
  /** In the end, lets the time pass that turns take which were left out. */
  readonly settle: (clocks: Clocks) => void;
};

/** Leaves out of these turns those whose form is known, or lies between two that are walked through. */
export function repeating(forms: readonly Form[]): Repeat {
  const keys = forms.map(keyOf);
  const itinerary = itineraryOf(forms);
  const passages = new Map<string, Passage>();
  /** How many passages of each form are to be added. */
  const owed = new Map<string, number>();
  /** Forms of which turns were left out for being of it. */
  const gone = new Set<string>();
  return {
    saw: (turn, time, done) => {
      const key = keys[turn];
      // Once turns of a form are left out, others of it begin as if these had never been.
      if (key === undefined || gone.has(key)) return;
      const { lengths = [], times = 0 } = passages.get(key) ?? {};
      // The first turn finds a cold machine.
      passages.set(key, { lengths: [...lengths, time].slice(-remembered), times: times + Math.min(1, turn), done }); // prettier-ignore
    },
    pass: (turn) => {
      // The first turn is always walked through.
      if (turn === 0) return 0;
      let [n, instructions] = [0, 0];
      for (let it = itinerary[turn]; it && isTold(it, passages); it = itinerary[turn + ++n])
        instructions += it.instructions;
      if (instructions < leastRun && turn + n < itinerary.length) return 0;
      for (const { of } of itinerary.slice(turn, turn + n)) {
        for (const { key, share } of of) owed.set(key, (owed.get(key) ?? 0) + share);
        if (of.length === 1) for (const { key } of of) gone.add(key);
      }
      return n;
    },
    settle: (clocks) => {
      for (const [key, n] of owed) {
        const passage = passages.get(key);
        if (!passage) throw new Error("a turn that was left out has none like it");
        const time = lengthOf(passage, n);
        for (const [core, clock] of clocks) advance(clock, time, passage.done.get(core)?.done, n);
      }
    },
  };
}

function isTold({ of, instructions }: Likeness, passages: ReadonlyMap<string, Passage>): boolean {
  const [only, another] = of;
  if (!only || another) return true;
  const passage = passages.get(only.key);
  if (!passage) return false;
  const [last = 0, before = 0] = passage.lengths.toReversed();
  const isSettled = Math.abs(last - before) <= closeness * last;
  const wanted = isSettled ? enough.times : enough.atMost;
  return passage.times >= (instructions < long ? wanted : Math.min(wanted, enough.ofLong));
}

/**
 * How long so many turns more take. Those that come ever nearer to a length, as how far copies are ahead of the memory does, go on so by the same share each turn
 * (Aitken 1926); others take the mean of the later half, as pipelines are still filling in the earlier.
 */
function lengthOf({ lengths }: Passage, turns: number): number {
  const later = lengths.slice(Math.floor(lengths.length / 2));
  const [half, last] = [Math.floor((later.length - 1) / 2), later.at(-1) ?? 0];
  const [first = 0, middle = 0] = [later.at(-1 - 2 * half), later.at(-1 - half)];
  const share = ((last - middle) / (middle - first)) ** (1 / half);
  if (!isOneWay(later) || !(share > 0 && share < 1)) return (turns * total(later)) / later.length;
  const end = last - (last - middle) ** 2 / (last - middle - (middle - first));
  return turns * end + ((last - end) * share * (1 - share ** turns)) / (1 - share);
}

const total = (of: readonly number[]): number => of.reduce((sum, it) => sum + it, 0);

/** Whether numbers never rise, or never fall. */
function isOneWay(of: readonly number[]): boolean {
  const steps = of.slice(1).map((it, i) => it - (of[i] ?? 0));
  return steps.every((it) => it <= 0) || steps.every((it) => it >= 0);
}

/** At the end of a kernel: what passed somewhere in it, so many times more. */
function advance(clock: Clock, time: number, done: Snapshot | undefined, times: number): void {
  // What stands at the beginning was never used.
  for (const engine of clock.engines.values())
    for (const end of ["ready", "done", "seen"] as const) if (engine[end] > 0) engine[end] += time;
  if (done) count(clock, done, times);
}
