/** Tiles in the order in which they are tried, and what was found of those that were. */
import type { Timing } from "../../../src/machine/simulate/time.ts";
import type { Area, Tile } from "../kernels/matrix/tile.ts";
import type { Remembered } from "./remembered.ts";

/** Instructions that are walked through, for each tile that is to be tried, before the search is content with what it has. */
export const patience = 10_000;

/** Tiles that are timed however many instructions they are. */
export const least = 4;

/** The share of the trials that looks for the size; the others look for how tiles of the best size are staged. */
const sizes = 0.75;

/** Of so many trials, those of sizes, and those of the best one. */
export function shared(trials: number): { readonly ofSizes: number; readonly ofBest: number } {
  const ofSizes = Math.ceil(trials * sizes);
  return { ofSizes, ofBest: trials + 1 - ofSizes };
}

/** What a tile takes, and the instructions that were walked through to know it. */
export type Tried = Pick<Timing, "cycles" | "walked">;

/** The fastest tile of those that were timed, and the instructions that were walked through for that. */
export type Trials = {
  readonly timed: readonly Remembered[];
  readonly best?: Remembered;
  readonly walked: number;
};

export const noTrials: Trials = { timed: [], walked: 0 };

/** Times more tiles, until so many instructions are walked through; whatever takes no less than `below` is no better. Of equals, the first stays the best. */
export function more(
  { timed: before, ...sofar }: Trials,
  tiles: readonly Tile[],
  enough: number,
  timeOf: (tile: Tile, below: number) => Tried,
): Trials {
  const all = [...before];
  let { best, walked } = sofar;
  for (const tile of tiles) {
    if (walked > enough && all.length >= least) break;
    const timing = timeOf(tile, best?.cycles ?? Infinity);
    all.push({ tile, cycles: timing.cycles });
    walked += timing.walked;
    if (!best || timing.cycles < best.cycles) best = { tile, cycles: timing.cycles };
  }
  return { timed: all, walked, ...(best && { best }) };
}

/** Tiles by formula, the best first. Equals stay in order. */
export const ranked = (tiles: readonly Tile[], estimate: (tile: Tile) => number): readonly Tile[] =>
  tiles
    .map((tile) => ({ tile, cycles: estimate(tile) }))
    .toSorted((a, b) => a.cycles - b.cycles)
    .map((it) => it.tile);

/** What tells tiles apart but for copies of their sums: these seldom make a difference. */
const unlike = ({ sums, ...tile }: Tile): string => JSON.stringify({ ...tile, sums: { ...sums, copies: 1 } });

/** Of tiles of one size, that differ only in how they are staged, the best few. */
export function diverse(tiles: readonly Tile[], few: number): readonly Tile[] {
  const taken = new Map<string, Set<string>>();
  return tiles.filter((tile) => {
    const size = `${tile.area.m} ${tile.area.n}`;
    const before = taken.get(size) ?? new Set();
    const own = before.size < few ? unlike(tile) : undefined;
    if (own === undefined || before.has(own)) return false;
    taken.set(size, before.add(own));
    return true;
  });
}

/** The tiles of one size: how they are staged is what the formula tells least well. */
export const ofSize = (tiles: readonly Tile[], { m, n }: Area): readonly Tile[] =>
  tiles.filter(({ area }) => area.m === m && area.n === n);

/** Of the size that was fastest, as many tiles that are unlike all that have been timed. */
export function alike(
  tiles: readonly Tile[],
  { timed: before, best }: Trials,
  count: number,
): readonly Tile[] {
  if (!best) return [];
  const known = ofSize(before.map((it) => it.tile), best.tile.area).map(unlike); // prettier-ignore
  const others = ofSize(tiles, best.tile.area).filter((it) => !known.includes(unlike(it)));
  return diverse(others, count);
}

/** The fastest tiles of a few sizes, of those that were timed. */
export const fastestSizes = ({ timed: before }: Trials, few: number): readonly Tile[] =>
  diverse(before.toSorted((a, b) => a.cycles - b.cycles).map((it) => it.tile), 1).slice(0, few); // prettier-ignore
