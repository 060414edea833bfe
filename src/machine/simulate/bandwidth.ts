/** The chip's memory as one core meets it. */
import type { Profile } from "../profile.ts";

type Gap = { readonly from: number; readonly to: number };

/**
 * A core's even share of the memory's rate, and when that share is taken. A copy that is asked for late does not keep others waiting: times
 * left idle before it are `gaps`, which copies that could begin earlier still take.
 */
export type Memory = Rates & {
  free: number;
  gaps: readonly Gap[];
  /** Cycles by which what was asked for may be ahead of what is served. */
  ahead: number;
  /** Of how far it was ahead at some time, the share that is left in `ahead`. */
  inertia: number;
  /** Cycles by which it could have been less ahead since, and no copy later. */
  spare: number;
};

/** What one of those that share the memory gets of it, and of its cache. */
export type Rates = { bytesPerCycle: number; cacheBytesPerCycle: number };

/** Gaps kept in mind; engines do not stand further apart than a few copies. */
const kept = 8;

/** The rates of one of so many cores. */
export const ratesOf = ({ memory, clock }: Profile, cores: number): Rates => ({
  bytesPerCycle: Math.min(
    memory.coreBytesPerCycle?.value ?? Infinity,
    (memory.bytesPerSecond.value * memory.sustained.value) / (clock.value * 1e6) / cores,
  ),
  cacheBytesPerCycle: memory.l2BytesPerCycle.value / cores,
});

/** The share of one of so many cores, nothing of it taken yet. */
export const shareOf = (profile: Profile, cores: number): Memory => ({
  ...ratesOf(profile, cores),
  free: 0,
  gaps: [],
  ahead: 0,
  inertia: 1,
  spare: Infinity,
});

/**
 * How far ahead of the memory its engine is with a copy that it is asked for, at most: as much is on the way as comes in `latency` at the copy's
 * highest rate (Little's law: rate times latency). The requests on the way are the engine's: while a copy is shorter than they are, those of the copies
 * before it are among them.
 */
export function aheadOf(
  memory: Memory,
  cycles: number,
  { most, rate, latency }: { readonly most: number; readonly rate: number; readonly latency: number },
): number {
  const window = (latency * most) / rate;
  const own = window > 0 ? Math.min(1, cycles / window) : 1;
  memory.ahead += own * (window - latency - memory.ahead);
  memory.inertia *= 1 - own;
  return memory.ahead;
}

/** Take so many cycles of a memory's time, from `start` on; gives when they are over. */
export function reserve(memory: Memory, start: number, cycles: number): number {
  let [left, end] = [cycles, start];
  const gaps = memory.gaps.flatMap((gap): Gap[] => {
    const from = Math.max(gap.from, start);
    if (left <= 0 || from >= gap.to) return [gap];
    const taken = Math.min(left, gap.to - from);
    left -= taken;
    end = from + taken;
    return [
      { from: gap.from, to: from },
      { from: end, to: gap.to },
    ].filter((it) => it.from < it.to);
  });
  if (left > 0) {
    const from = Math.max(memory.free, start);
    if (from > memory.free) gaps.push({ from: memory.free, to: from });
    end = memory.free = from + left;
  }
  memory.gaps = gaps.slice(-kept);
  return end;
}

/** Let time pass by. */
export function delay(memory: Memory, by: number): void {
  memory.free += by;
  memory.gaps = memory.gaps.map(({ from, to }) => ({ from: from + by, to: to + by }));
}
