/**
 * Loops in a steady state: once a turn leaves all engines standing to one another as an earlier one did, those that follow and are alike
 * take the same time, and are counted rather than walked through.
 */
import type { Env } from "../../schedule/expr.ts";
import { scalarEngine } from "../../profile.ts";
import type { Loop, Prepared, PreparedPart } from "../../schedule/prepare.ts";
import { delay } from "../bandwidth.ts";
import type { Reader } from "../reader.ts";
import { looking, type Form } from "./forms.ts";
import { keyOf } from "./itinerary.ts";
import type { Clock } from "../clock.ts";
import { boundsOf, type Turn } from "../../schedule/walk.ts";
import { count, doneSince, snapshotOf, type Snapshot } from "./passed.ts";

/** Asked before each turn of a loop: how many to leave out. */
export type Skipper = (turn: Turn, state: Clock) => number;

/** What was at the beginning of a turn. */
type Mark = {
  readonly left: number;
  readonly parities: string;
  readonly times: ReadonlyMap<string, number>;
  readonly flags: ReadonlyMap<string, readonly number[]>;
  /** When the memory is free, and its gaps. */
  readonly taken: readonly number[];
  readonly ahead: number;
  readonly inertia: number;
  readonly totals: Snapshot;
};

/** Turns kept in mind; a state that recurs only after more is not found. */
const remembered = 24;
/** Turns that are walked through before the first is left out, and at the end, where boxes may be smaller. */
const kept = 2;

/** Loops of fewer turns are always walked through. */
const worthwhile = 6;

const has = (body: readonly Prepared[], kinds: readonly string[]): boolean =>
  body.some((it) =>
    it.kind === "operation" ? kinds.includes(it.stmt.kind) : it.kind !== "let" && has(it.body, kinds),
  );

/** The outermost loops in which a core signals or awaits. */
export const signallingLoops = ({ body }: PreparedPart): readonly Loop[] =>
  body.filter((it) => it.kind === "loop").filter((it) => has(it.body, ["signal", "await"]));

/**
 * A skipper of a core's inner loops, but for those that meet other cores, or depend on numbers read. Turns of the loops `again` come back
 * to what the first has read.
 */
export function skipper(part: PreparedPart, env: Env, reader: Reader, again: ReadonlySet<Loop>): Skipper {
  const walked = new Set(
    part.loops.filter((it) => part.body.includes(it) || has(it.body, ["signal", "await", "read"])),
  );
  const marks = new Map<Loop, Mark[]>();
  const looks = new Map<Loop, (env: Env) => Form>();
  /** The keys of a loop's turns, counted from one that is about to begin. */
  const keysIn = (loop: Loop, index: number): ((turn: number) => string) => {
    const look = looks.get(loop) ?? looking(loop, reader);
    looks.set(loop, look);
    const { first, by } = boundsOf(loop, env);
    return (turn) => {
      env[loop.slot] = first + (index + turn) * by;
      return keyOf(look(env));
    };
  };
  return ({ loop, index, left }, state) => {
    const before = marks.get(loop);
    if (!before && left < worthwhile) return 0;
    if (walked.has(loop)) return 0;
    // The first turn finds in memory what the others find in the cache.
    if (index === 0 && again.has(loop)) return 0;
    const last = before?.at(-1);
    // A loop that begins anew, or of which another left out turns, forgets what it was: its engines may stand differently.
    const known = before && last?.left === left + 1 ? before : [];
    if (known.length === 0 && left < worthwhile) return 0;
    const mark = markOf(part, env, left, state);
    marks.set(loop, [...known, mark].slice(-remembered));
    const [earlier, by] = recurrence(known, mark);
    if (!earlier) return 0;
    const period = earlier.left - left;
    const most = Math.floor((left - kept) / period);
    const keyAt = keysIn(loop, index);
    const times = lastOf(most, (n) => isLike(keyAt, (n - 1) * period, period));
    if (times < 1) return 0;
    forward(state, earlier, mark, by, times);
    marks.delete(loop);
    return times * period;
  };
}

/** Whether turns from one on, so many, are of the forms of those that end before the turn 0. */
function isLike(keyAt: (turn: number) => string, from: number, period: number): boolean {
  for (let i = 0; i < period; i++) if (keyAt(from + i) !== keyAt(i - period)) return false;
  return true;
}

/** The last number up to `most` of which something holds that holds of all numbers before it; 0 where it holds of none. */
function lastOf(most: number, holds: (n: number) => boolean): number {
  if (most < 1 || holds(most)) return most;
  let [low, high] = [0, most];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

const clocks = ["ready", "done", "seen"] as const;

function markOf(part: PreparedPart, env: Env, left: number, state: Clock): Mark {
  const { engines, flags, memory } = state;
  return {
    left,
    parities: part.loops.map((it) => (env[it.turn] ?? 0) % it.period).join(),
    times: new Map(
      [...engines].flatMap(([name, engine]) => clocks.map((clock) => [`${clock} ${name}`, engine[clock]])),
    ),
    flags: new Map([...flags].map(([flag, at]) => [flag, [...at]])),
    ahead: memory.ahead,
    inertia: memory.inertia,
    taken: [memory.free, ...memory.gaps.flatMap(({ from, to }) => [from, to])],
    totals: snapshotOf(state),
  };
}

/** Cycles within which two states count as one. */
const exactness = 1e-3;

/** The latest of earlier marks from which everything that has moved since has moved by the same time, and that time. */
function recurrence(known: readonly Mark[], now: Mark): readonly [Mark | undefined, number] {
  for (const mark of known.toReversed()) {
    if (mark.parities !== now.parities) continue;
    const by = movedBy(mark, now);
    if (by > 0 && isSame(mark, now, by)) return [mark, by];
  }
  return [undefined, 0];
}

const isReady = (clock: string): boolean => clock.startsWith("ready");
const hasMoved = (before: Mark, now: Mark, clock: string): boolean =>
  Math.abs((now.times.get(clock) ?? 0) - (before.times.get(clock) ?? 0)) > exactness;

/** How far the engine that is furthest of those that moved has come. */
function movedBy(before: Mark, now: Mark): number {
  const moved = [...now.times.keys()].filter((it) => isReady(it) && hasMoved(before, now, it));
  const furthest = (mark: Mark): number => Math.max(0, ...moved.map((it) => mark.times.get(it) ?? 0));
  return furthest(now) - furthest(before);
}

/** The earliest that anything which moves can begin: what lies further back matters no more. The scalar unit runs ahead of all others. */
function oldest(before: Mark, now: Mark, mark: Mark): number {
  const moved = [...now.times.keys()].filter(
    (it) => isReady(it) && !it.endsWith(scalarEngine) && hasMoved(before, now, it),
  );
  return Math.min(...moved.map((it) => mark.times.get(it) ?? 0));
}

function isSame(before: Mark, now: Mark, by: number): boolean {
  const [then, today] = [oldest(before, now, before), oldest(before, now, now)];
  if (Math.abs(before.ahead - now.ahead) > exactness) return false;
  const isShifted = (a: number, b: number): boolean =>
    Math.abs(Math.max(a, then) + by - Math.max(b, today)) <= exactness;
  // What stands where it stood has no part in these turns.
  const isAlike = (a: number, b: number): boolean => Math.abs(a - b) <= exactness || isShifted(a, b);
  for (const [clock, t] of now.times) if (!isAlike(before.times.get(clock) ?? 0, t)) return false;
  for (const [flag, at] of now.flags) {
    const was = before.flags.get(flag) ?? [];
    if (was.length !== at.length || !at.every((t, i) => isAlike(was[i] ?? 0, t))) return false;
  }
  const recent = (taken: readonly number[], limit: number): readonly number[] =>
    taken.filter((_, i) => i === 0 || (taken[i % 2 === 1 ? i + 1 : i] ?? 0) > limit);
  const [a, b] = [recent(before.taken, then), recent(now.taken, today)];
  return a.length === b.length && b.every((t, i) => isShifted(a[i] ?? 0, t));
}

/** Let the time between two marks pass so many times more, for all that moved in it. */
function forward(state: Clock, from: Mark, to: Mark, step: number, n: number): void {
  const by = n * step;
  for (const [name, engine] of state.engines)
    for (const clock of clocks) if (hasMoved(from, to, `${clock} ${name}`)) engine[clock] += by;
  for (const [flag, at] of state.flags) {
    const was = from.flags.get(flag) ?? [];
    state.flags.set(flag, at.map((t, i) => (Math.abs(t - (was[i] ?? 0)) > exactness ? t + by : t))); // prettier-ignore
  }
  if ((to.taken[0] ?? 0) > (from.taken[0] ?? 0)) delay(state.memory, by);
  if (from.inertia > 0) state.memory.inertia *= (to.inertia / from.inertia) ** n;
  count(state, doneSince(from.totals, to.totals), n);
}
