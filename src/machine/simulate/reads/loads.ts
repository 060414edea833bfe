/** How the turns of a kernel are dealt out to the groups of a chip. */
import type { Reading, Turns } from "./readings.ts";

export type Loads = {
  /** The group that reads most, and of those the first; where none reads, that with the most turns. */
  readonly busiest: number;
  /** What all groups do, in times what that one does. */
  readonly all: number;
  /** Groups that have work. */
  readonly working: number;
  /** Groups that take a turn, by its number: those with fewer are done before. */
  readonly inTurn: readonly number[];
};

const total = (of: readonly number[]): number => of.reduce((n, it) => n + it, 0);

function bytesOf(turns: Turns): number {
  let bytes = 0;
  for (const of of turns) for (const { first, again } of of) bytes += first + again;
  return bytes;
}

export function loadsOf(groups: readonly Turns[]): Loads {
  const lengths = groups.map((it) => it.length);
  const reads = groups.map(bytesOf);
  const loads = reads.some((it) => it > 0) ? reads : lengths;
  const most = Math.max(...loads);
  const after = (turn: number): number => lengths.reduce((n, it) => (it > turn ? n + 1 : n), 0);
  return {
    busiest: loads.indexOf(most),
    all: Math.max(1, total(loads) / Math.max(1, most)),
    working: Math.max(1, after(0)),
    inTurn: Array.from({ length: Math.max(1, ...lengths) }, (_, turn) => Math.max(1, after(turn))),
  };
}

/** The turns of those that have no work. */
const none: readonly never[] = [];

/** The turns of several cores as one. */
export function sideBySide<T>(
  cores: readonly (readonly T[])[],
  join: (turns: readonly T[]) => T,
): readonly T[] {
  const [only, another] = cores;
  if (only && !another) return only;
  let most = 0;
  for (const it of cores) most = Math.max(most, it.length);
  if (most === 0) return none;
  return Array.from({ length: most }, (_, i) => {
    const turns: T[] = [];
    for (const of of cores) {
      const turn = of[i];
      if (turn !== undefined) turns.push(turn);
    }
    return join(turns);
  });
}

/** What the cores of a group read. */
export const readTogether = (cores: readonly Turns[]): Turns =>
  sideBySide<readonly Reading[]>(cores, (of) => of.flat());
