/** Outermost turns that begin as none did before: they take the time that those of their form took, or lie between those that took less and more. */
import type { Core } from "../../schedule/cores.ts";
import { add, type Clock } from "../clock.ts";
import type { Form } from "./forms.ts";
import { itineraryOf, keyOf, type Likeness } from "./itinerary.ts";
import type { Clocks } from "./moment.ts";
import { count } from "./passed.ts";
import type { Share } from "./recall.ts";

/** When a form of turns is known. */
const enough = {
  /** Once it was walked through so many times, */
  times: 8,
  /** and the last two of them took the same time; at the latest after so many. */
  atMost: 24,
  /** Or after so many where it is so long that it goes round in itself and leaves engines as it would find them. */
  ofLong: 2,
} as const;

/** Instructions of short turns, or of a kernel, that are walked through sooner than it is worth to guess at turns: those that differ much overlap as no other does. */
const few = 16_000;

/** Instructions in a row that are left out at least, but at the end: turns that are walked through between others that are not begin as none would. */
const leastRun = 2000;

/** Instructions of a long turn. */
const long = 1000;

/** Of two passages of one length, the share by which they may differ. */
const closeness = 1e-3;

/** What cores do in a turn. */
export type Done = ReadonlyMap<Core, Share>;

/** Turns of a form. */
type Passage = {
  /** How long those took that were walked through since some were left out, the last of them, and how many there were. */
  readonly lengths: readonly number[];
  readonly times: number;
  /** Turns that were left out before these, and how long those took that came before. */
  readonly out: number;
  readonly before?: number;
  readonly done: Done;
};

/** Lengths kept in mind. */
const remembered = 24;

export type Repeat = {
  /** A turn took so long. */
  readonly saw: (turn: number, length: number, done: Done) => void;
  /** The turns that are left out from this one on: what is done in them, where they are of one form. */
  readonly pass: (turn: number) => readonly (Done | undefined)[];
  /** In the end, lets the time pass that turns take which were left out. */
  readonly settle: (clocks: Clocks) => void;
};

/**
 * Leaves out of these turns those whose form is known, or lies between two that are walked through. Short ones may take longer or less all along: after as many
 * as there were before, some are walked through again, and those that were left out took the mean of what came before them and behind.
 */
export function repeating(forms: readonly Form[]): Repeat {
  const keys = forms.map(keyOf);
  const itinerary = itineraryOf(forms);
  const [never, after] = [total(forms.map((it) => it.instructions)) <= few, firstAfter(few, forms)];
  const first = (turn: number): number => (never ? Infinity : isLong(itinerary[turn]) ? 1 : after);
  const passages = new Map<string, Passage>();
  /** How many passages of each form are to be added, of those that lie between two and of those that are of it. */
  const [shares, owed] = [new Map<string, number>(), new Map<string, number>()];
  let time = 0;
  const leaveOut = (key: string, out: number): void => {
    const passage = passages.get(key);
    if (!passage) return;
    time += timeOf(passage);
    passages.set(key, { ...passage, lengths: [], times: 0, out, before: lengthOf(passage) });
    add(owed, key, out);
  };
  return {
    saw: (turn, length, done) => {
      const key = keys[turn];
      if (key === undefined) return;
      const { lengths, times, ...others } = passages.get(key) ?? { lengths: [], times: 0, out: 0 };
      // The first turn finds a cold machine.
      passages.set(key, { ...others, lengths: [...lengths, length].slice(-remembered), times: times + Math.min(1, turn), done }); // prettier-ignore
    },
    pass: (turn) => {
      const run = turn < first(turn) ? [] : runFrom(itinerary, turn, passages);
      const out = new Map<string, number>();
      for (const { of } of run)
        for (const { key, share } of of) add(of.length > 1 ? shares : out, key, share);
      const done = run.map(({ of: [only, another] }) => (only && !another ? passages.get(only.key)?.done : undefined)); // prettier-ignore
      for (const [key, n] of out) leaveOut(key, n);
      return done;
    },
    settle: (clocks) => {
      for (const [key, n] of shares) {
        time += n * lengthOf(passageOf(passages, key));
        add(owed, key, n);
      }
      for (const it of passages.values()) time += timeOf(it);
      for (const clock of clocks.values()) advance(clock, time);
      for (const [key, n] of owed)
        for (const [core, { done }] of passageOf(passages, key).done) {
          const clock = clocks.get(core);
          if (clock) count(clock, done, n);
        }
    },
  };
}

const isLong = (it: Likeness | undefined): boolean => it !== undefined && it.instructions >= long;

/** The first turn but for the very first that has so many instructions before it. */
function firstAfter(instructions: number, forms: readonly Form[]): number {
  let before = 0;
  const at = forms.findIndex((it) => (before += it.instructions) > instructions);
  return at < 0 ? forms.length : at + 1;
}

function passageOf(passages: ReadonlyMap<string, Passage>, key: string): Passage {
  const passage = passages.get(key);
  if (!passage) throw new Error("a turn that was left out has none like it");
  return passage;
}

/** Turns in a row that are left out from one on: of short ones no more than there were before, and so many are left that tell how long they take in the end. */
function runFrom(
  itinerary: readonly Likeness[],
  turn: number,
  passages: ReadonlyMap<string, Passage>,
): readonly Likeness[] {
  const areLong = isLong(itinerary[turn]);
  const ahead = itinerary.slice(turn, areLong ? itinerary.length : 2 * turn);
  const untold = ahead.findIndex((it) => !isTold(it, passages));
  const told = untold < 0 ? ahead : ahead.slice(0, untold);
  const kinds = new Set(told.flatMap(({ of }) => of.map((it) => it.key))).size;
  const end = itinerary.length - turn - (areLong ? 0 : kinds * enough.times);
  const run = told.slice(0, Math.max(0, end));
  const isLast = turn + run.length === itinerary.length;
  return isLast || total(run.map((it) => it.instructions)) >= leastRun ? run : [];
}

function isTold({ of, instructions }: Likeness, passages: ReadonlyMap<string, Passage>): boolean {
  const [only, another] = of;
  if (!only || another) return true;
  const passage = passages.get(only.key);
  if (!passage) return false;
  const [last = 0, previous = 0] = passage.lengths.toReversed();
  const isSettled = Math.abs(last - previous) <= closeness * last;
  const wanted = isSettled || passage.before !== undefined ? enough.times : enough.atMost;
  return passage.times >= (instructions < long ? wanted : Math.min(wanted, enough.ofLong));
}

const total = (of: readonly number[]): number => of.reduce((sum, it) => sum + it, 0);

/** How long a turn takes: the mean of the later half, as pipelines are still filling in the earlier. */
function lengthOf({ lengths, before = 0 }: Passage): number {
  const later = lengths.slice(Math.floor(lengths.length / 2));
  return later.length > 0 ? total(later) / later.length : before;
}

/** How long the turns took that were left out last: as those before them, and those behind where these are as many as tell. */
function timeOf(it: Passage): number {
  const { out, before = 0 } = it;
  return it.times < enough.times ? out * before : (out * (before + lengthOf(it))) / 2;
}

/** At the end of a kernel: time that passed somewhere in it. */
function advance(clock: Clock, time: number): void {
  // What stands at the beginning was never used.
  for (const engine of clock.engines.values())
    for (const end of ["ready", "done", "seen"] as const) if (engine[end] > 0) engine[end] += time;
}
