/** The best tile of a product on a machine: all legal ones ranked by formula, the best few timed, the fastest kept. */
import { fail } from "../../../src/support/diagnostics.ts";
import type { Profile } from "../../../src/machine/profile.ts";
import { time, type TimedLaunch, type Timing } from "../../../src/machine/simulate/time.ts";
import { blockReader, evenOffsets } from "../../../src/plan/program/row-blocks.ts";
import { lacking } from "../kernels/matrix/fits.ts";
import { gemm } from "../kernels/matrix/gemm.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import type { Area, Tile } from "../kernels/matrix/tile.ts";
import { candidates, holding, otherBands, readingAhead, tapering } from "./candidates.ts";
import { estimator } from "./estimate.ts";
import { publishedTiles } from "./published.ts";
import { sturdiest } from "./uneven.ts";
import { searchKey, type Remembered, type TileMemory } from "./remembered.ts";

/** Tiles that are timed where no one asks for more. */
export const usualTrials = 16;

/** The share of the trials that looks for the size; the others look for how tiles of the best size are staged. */
const sizes = 0.75;

/** Instructions that are walked through, for each tile that is to be tried, before the search is content with what it has. */
const patience = 10_000;

/** Of products that are short to walk through, so many times as many sizes are timed, while that takes a small part of the patience. */
const wide = 3;

/** Tiles that are timed however many instructions they are. */
const least = 4;

/** A launch of a product of so many rows, those of experts as `offsets` says. */
export const productLaunch = (
  spec: GemmSpec,
  tile: Tile,
  rows: number,
  offsets = evenOffsets(spec.experts ?? 1, rows),
): TimedLaunch => ({ sizes: new Map([["S", rows]]), reader: blockReader(offsets, tile.area.m) });

/** A kernel's time for so many rows, dealt out evenly among experts unless `offsets` says otherwise. */
export const timed = (
  profile: Profile,
  spec: GemmSpec,
  tile: Tile,
  rows: number,
  offsets?: readonly number[],
): Timing => time(gemm(profile, spec, tile), profile, productLaunch(spec, tile, rows, offsets));

/** Of tiles of one size, that differ only in how they are staged, the best two. */
function diverse(ranked: readonly Tile[]): readonly Tile[] {
  const taken = new Map<string, number>();
  return ranked.filter(({ area: { m, n } }) => {
    const before = taken.get(`${m} ${n}`) ?? 0;
    taken.set(`${m} ${n}`, before + 1);
    return before < 2;
  });
}

/** The fastest tile of those that were timed, and the instructions that were walked through for that. */
type Trials = { readonly timed: readonly Tile[]; readonly best?: Remembered; readonly walked: number };

/** Times more tiles, until so many instructions are walked through. Of equals, the first stays the best. */
function more(
  { timed: before, ...sofar }: Trials,
  tiles: readonly Tile[],
  enough: number,
  timeOf: (tile: Tile) => Timing,
): Trials {
  const all = [...before];
  let { best, walked } = sofar;
  for (const tile of tiles) {
    if (walked > enough && all.length >= least) break;
    const timing = timeOf(tile);
    all.push(tile);
    walked += timing.walked;
    if (!best || timing.cycles < best.cycles) best = { tile, cycles: timing.cycles };
  }
  return { timed: all, walked, ...(best && { best }) };
}

/** The tiles of one size: how they are staged is what the formula tells least well. */
const ofSize = (tiles: readonly Tile[], { m, n }: Area): readonly Tile[] =>
  tiles.filter(({ area }) => area.m === m && area.n === n);

/** Tiles that have not been timed of the size that was fastest. */
const alike = (ranked: readonly Tile[], { timed: before, best }: Trials): readonly Tile[] =>
  best ? ofSize(ranked, best.tile.area).filter((it) => !before.includes(it)) : [];

/** The fastest tile with rows that are read ahead, and the best few by formula of its size: while rows are missed, how they are staged makes little difference. */
const ahead = (
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  ranked: readonly Tile[],
  { best }: Trials,
): readonly Tile[] => {
  if (!best) return [];
  const { tile, cycles } = best;
  const like = ofSize(ranked, tile.area).slice(0, least);
  const inOrder = like.map((it): Tile => ({ ...it, ...(tile.band && { band: tile.band }) }));
  return readingAhead(profile, spec, rows, cycles, [tile, ...inOrder]);
};

/** Legal tiles, the best by formula first. Equals stay in the order of the candidates. */
function rankedTiles(profile: Profile, spec: GemmSpec, rows: number): readonly Tile[] {
  const estimate = estimator(profile, spec, rows);
  return candidates(profile, spec, rows)
    .map((tile) => ({ tile, cycles: estimate(tile) }))
    .toSorted((a, b) => a.cycles - b.cycles)
    .map((it) => it.tile);
}

/**
 * The fastest tile for so many rows, of published ones, the best by formula, those of the size that was fastest of these, and the fastest in other orders, with weights that are held, with rows that are read ahead, and with shorter last turns; of experts one that is
 * nearly as fast and bears uneven rows better. Deterministic: of equals, the first. What `memory` has
 * is taken from there, and what is found is added. Throws `device/no-tile` where none fits, `device/no-product` as `gemm`.
 */
export function bestTile(
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  trials = usualTrials,
  memory: TileMemory = new Map(),
): Remembered {
  const key = searchKey(profile, spec, rows, trials);
  const known = memory.get(key);
  if (known && "tile" in known) return known;
  const ranked = rankedTiles(profile, spec, rows);
  const timeOf = (tile: Tile, offsets?: readonly number[]): Timing =>
    timed(profile, spec, tile, rows, offsets);
  const [published] = publishedTiles(profile, spec);
  const promising = diverse(ranked).slice(0, wide * trials);
  const usual = Math.ceil(trials * sizes);
  const none: Trials = { timed: [], walked: 0 };
  const narrow = more(none, [...(published ? [published] : []), ...promising.slice(0, usual)], patience * trials, timeOf); // prettier-ignore
  const first = more(narrow, promising.slice(usual), (patience * trials) / wide ** 2, timeOf);
  const others = alike(ranked, first).slice(0, trials + 1 - usual);
  const second = more(first, others, patience * trials, timeOf);
  const turned = second.best ? otherBands(spec, second.best.tile) : [];
  const third = more(second, turned, patience * trials, timeOf);
  // How long a tile takes that stages weights anew tells little of one that holds them: the best by formula is tried besides.
  const held = [third.best?.tile, ranked[0]].filter((it) => it !== undefined);
  const holders = held.flatMap((it) => holding(profile, spec, rows, it));
  const fourth = more(third, holders, patience * trials, timeOf);
  const fifth = more(fourth, ahead(profile, spec, rows, ranked, fourth), Infinity, timeOf);
  const shorter = fifth.best ? tapering(profile, spec, fifth.best.tile) : [];
  const { best } = more(fifth, shorter, patience * trials, timeOf);
  if (!best)
    return fail(
      "device/no-tile",
      undefined,
      profile.name,
      spec.out.width,
      spec.a.width,
      lacking(profile, spec),
    );
  const limit = published && spec.experts !== undefined ? timeOf(published).cycles : Infinity;
  const found = sturdiest(profile, spec, rows, best, limit, timeOf);
  memory.set(key, found);
  return found;
}
