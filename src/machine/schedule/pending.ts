/**
 * How many sets of a flag may be pending at once. A flag is a single bit: one that is set anew before its last set was waited for loses one, so
 * it needs as many numbers as turns go by until its setter is sure that who waits for it has.
 */

/**
 * A flag of a loop's body: set behind a statement, waited for before a statement so many turns later. One turn follows another: the first statement
 * of a turn is behind the last one of the turn before.
 */
export type Handing = {
  readonly from: string;
  readonly to: string;
  readonly set: number;
  readonly wait: number;
  readonly turns: number;
};

/** Turns that go by from a wait to a set behind it on the same engine. */
const turnsUntil = ({ wait }: Handing, { set }: Handing): number => (wait <= set ? 0 : 1);

/** The numbers that a flag needs of those of its body, by the shortest way on which its setter learns that it was waited for; Infinity where there is none. */
export function mostPending(flag: Handing, all: readonly Handing[]): number {
  /** Turns after which who waits for a flag is sure to be behind the wait for `flag`. */
  const sure = new Map<Handing, number>([[flag, 0]]);
  const open = [flag];
  for (let known = open.pop(); known; known = open.pop())
    for (const next of all) {
      if (next.from !== known.to) continue;
      const turns = (sure.get(known) ?? 0) + turnsUntil(known, next) + next.turns;
      if (turns >= (sure.get(next) ?? Infinity)) continue;
      sure.set(next, turns);
      open.push(next);
    }
  const ways = [...sure].filter(([it]) => it.to === flag.from);
  return Math.min(...ways.map(([it, turns]) => turns + turnsUntil(it, flag) + flag.turns));
}
