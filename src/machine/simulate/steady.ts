/**
 * Loops in a steady state: once a turn leaves all engines standing to one another as an earlier one did, those that follow and are alike
 * take the same time, and are counted rather than walked through.
 */
import type { Env } from "../schedule/expr.ts";
import type { Loop, Prepared, PreparedPart } from "../schedule/prepare.ts";
import { delay, type Memory } from "./bandwidth.ts";
import type { Span, TurnOutline } from "./outline.ts";

/** Everything that moves on with time; a skip adds to it. */
export type State = {
  readonly ready: Map<string, number>;
  readonly done: Map<string, number>;
  readonly seen: Map<string, number>;
  readonly flags: Map<string, number[]>;
  readonly memory: Memory;
  readonly totals: {
    readonly busy: Map<string, number>;
    readonly bytes: Map<string, number>;
    memoryBytes: number;
    macs: number;
  };
};

/** Asked before each turn of a loop, with the turns left: how many to leave out. */
export type Skipper = (loop: Loop, left: number, state: State) => number;

/** What was at the beginning of a turn. */
type Mark = {
  readonly left: number;
  readonly base: number;
  readonly shape: string;
  readonly totals: Snapshot;
};
type Snapshot = {
  readonly busy: ReadonlyMap<string, number>;
  readonly bytes: ReadonlyMap<string, number>;
  readonly memoryBytes: number;
  readonly macs: number;
};

/** Turns kept in mind; a state that recurs only after more is not found. */
const remembered = 24;
/** Turns that are walked through before the first is left out, and at the end, where boxes may be smaller. */
const kept = 2;

const signals = (body: readonly Prepared[]): boolean =>
  body.some((it) =>
    it.kind === "operation"
      ? it.stmt.kind === "signal" || it.stmt.kind === "await" || it.stmt.kind === "read"
      : it.kind !== "let" && signals(it.body),
  );

/** A skipper for one core. `outer` outlines the turns of its outermost loops; where it is empty those are never left out. */
export function skipper(part: PreparedPart, env: Env, outer: readonly TurnOutline[]): Skipper {
  const outermost = new Set(part.body.filter((it) => it.kind === "loop"));
  const mixed = new Set(part.loops.filter((it) => signals(it.body)));
  const marks = new Map<Loop, Mark[]>();
  return (loop, left, state) => {
    if (mixed.has(loop)) return 0;
    const total = outer.length;
    if (outermost.has(loop) && (total === 0 || outermost.size > 1)) return 0;
    const before = marks.get(loop) ?? [];
    const last = before.at(-1);
    // A loop that begins anew forgets what it was: its engines may stand differently.
    const known = last && last.left > left ? before : [];
    const mark = markOf(part, env, left, state);
    marks.set(loop, [...known, mark].slice(-remembered));
    const earlier = known.findLast((it) => it.shape === mark.shape);
    if (!earlier) return 0;
    const period = earlier.left - left;
    const alikeTurns = outermost.has(loop) ? sameForm(outer, total - left, period) : left;
    const times = Math.floor((Math.min(alikeTurns, left) - kept) / period);
    if (times < 1) return 0;
    forward(state, earlier, mark, times);
    marks.delete(loop);
    return times * period;
  };
}

/** How many turns from `at` on are of the form that the turn `period` before each has. */
function sameForm(turns: readonly TurnOutline[], at: number, period: number): number {
  let n = 0;
  while (at + n < turns.length && turns[at + n]?.form === turns[at + n - period]?.form) n++;
  return n;
}

function markOf(
  part: PreparedPart,
  env: Env,
  left: number,
  { ready, done, seen, flags, memory, totals }: State,
): Mark {
  const base = Math.max(0, ...ready.values(), ...done.values(), ...seen.values());
  const place = (t: number): string => (base - t).toFixed(3);
  const parities = part.loops.map((it) => (env[it.turn] ?? 0) % it.period);
  const engines = [...ready, ...done, ...seen].map(([engine, t]) => `${engine}${place(t)}`);
  const set = [...flags].flatMap(([flag, at]) => (at.length > 0 ? [`${flag}:${at.map(place).join()}`] : []));
  // What lies further back than any engine stands matters no more.
  const oldest = Math.min(base, ...ready.values());
  const taken = [memory.free, ...memory.gaps.flatMap(({ from, to }) => [from, to])].map((t) => place(Math.max(t, oldest))); // prettier-ignore
  return {
    left,
    base,
    shape: [parities.join(), ...engines, ...set, ...taken].join("|"),
    totals: {
      busy: new Map(totals.busy),
      bytes: new Map(totals.bytes),
      memoryBytes: totals.memoryBytes,
      macs: totals.macs,
    },
  };
}

/** Let the time between two marks pass so many times more. */
function forward({ ready, done, seen, flags, memory, totals }: State, from: Mark, to: Mark, n: number): void {
  const by = n * (to.base - from.base);
  for (const times of [ready, done, seen]) for (const [engine, t] of times) times.set(engine, t + by);
  for (const [flag, at] of flags) flags.set(flag, at.map((t) => t + by)); // prettier-ignore
  delay(memory, by);
  for (const [key, value] of totals.busy)
    totals.busy.set(key, value + n * (value - (from.totals.busy.get(key) ?? 0)));
  for (const [key, value] of totals.bytes)
    totals.bytes.set(key, value + n * (value - (from.totals.bytes.get(key) ?? 0)));
  totals.memoryBytes += n * (totals.memoryBytes - from.totals.memoryBytes);
  totals.macs += n * (totals.macs - from.totals.macs);
}

/** Turns taken side by side as one. */
export const alike = (turns: readonly TurnOutline[]): TurnOutline => ({
  form: turns.map((it) => it.form).join("/"),
  spans: turns.flatMap((it): readonly Span[] => it.spans),
});
