/** The best tile of a product on a machine: all legal ones ranked by formula, the best few timed, the fastest kept. */
import { fail } from "../../../src/support/diagnostics.ts";
import type { Profile } from "../../../src/machine/profile.ts";
import { time, type TimedLaunch, type Timing } from "../../../src/machine/simulate/time.ts";
import { blockReader, evenOffsets } from "../../../src/plan/program/row-blocks.ts";
import { lacking } from "../kernels/matrix/fits.ts";
import { gemm } from "../kernels/matrix/gemm.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import type { Tile } from "../kernels/matrix/tile.ts";
import { candidates } from "./candidates.ts";
import { estimator } from "./estimate.ts";
import { publishedTiles } from "./published.ts";
import { bestOfExperts } from "./uneven.ts";
import {
  alike,
  diverse,
  fastestSizes,
  least,
  more,
  noTrials,
  ofSize,
  patience,
  ranked,
  shared,
  type Trials,
} from "./trials.ts";
import { holding, narrowing, otherBands, otherCopies, readingAhead, tapering } from "./variants.ts";
import { searchKey, type Remembered, type TileMemory } from "./remembered.ts";

/** Tiles that are timed where no one asks for more. */
export const usualTrials = 16;

/** Of products that are short to walk through, so many times as many sizes are timed, while that takes a small part of the patience. */
const wide = 3;

/** The share of the patience that is for each kind of variants of the fastest, beyond what sizes have taken. */
const ofVariants = 0.25;

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

/** The fastest tile with rows that are read ahead, and the best few by formula of its size: while rows are missed, how they are staged makes little difference. */
const ahead = (
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  tiles: readonly Tile[],
  { best }: Trials,
): readonly Tile[] => {
  if (!best) return [];
  const { tile, cycles } = best;
  const like = ofSize(tiles, tile.area).slice(0, least);
  const inOrder = like.map((it): Tile => ({ ...it, ...(tile.band && { band: tile.band }) }));
  return readingAhead(profile, spec, rows, cycles, [tile, ...inOrder]);
};

/** The fastest tile for even rows, of `published`, the best by formula, those of the size that was fastest of these, and the fastest in other orders, with another number of copies of its sums, with weights that are held, with rows that are read ahead, with narrower last tiles, and with shorter last turns. */
function fastest(
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  published: Tile | undefined,
  trials: number,
  timeOf: (tile: Tile) => Timing,
): Remembered | undefined {
  const tiles = ranked(candidates(profile, spec, rows), estimator(profile, spec, rows));
  const enough = patience * trials;
  const promising = diverse(tiles, 2).slice(0, wide * trials);
  const { ofSizes, ofBest } = shared(trials);
  const narrow = more(noTrials, [...(published ? [published] : []), ...promising.slice(0, ofSizes)], enough, timeOf); // prettier-ignore
  const first = more(narrow, promising.slice(ofSizes), enough / wide ** 2, timeOf);
  const second = more(first, alike(tiles, first, ofBest), enough, timeOf);
  const further = (sofar: Trials, variants: (best: Tile) => readonly Tile[]): Trials =>
    more(sofar, sofar.best ? variants(sofar.best.tile) : [], sofar.walked + enough * ofVariants, timeOf);
  const third = further(second, (it) => [...otherBands(spec, it), ...otherCopies(profile, spec, it)]);
  // How long a tile takes that stages weights anew tells little of one that holds them: other sizes, and the best by formula, are tried besides.
  const held = diverse([...fastestSizes(third, least), ...tiles.slice(0, 1)], 1);
  const fourth = further(third, () => held.flatMap((it) => holding(profile, spec, rows, it)));
  const fifth = more(fourth, ahead(profile, spec, rows, tiles, fourth), Infinity, timeOf);
  const sixth = further(fifth, (it) => narrowing(profile, spec, rows, it));
  return further(sixth, (it) => tapering(profile, spec, it)).best;
}

/**
 * The best tile for so many rows: the fastest, of experts that which takes the least of even and uneven rows. Deterministic: of equals, the first. What `memory` has
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
  const [published] = publishedTiles(profile, spec);
  const timeOf = (tile: Tile, offsets?: readonly number[]): Timing =>
    timed(profile, spec, tile, rows, offsets);
  const found =
    spec.experts === undefined
      ? fastest(profile, spec, rows, published, trials, (it) => timeOf(it))
      : bestOfExperts(profile, spec, rows, published, trials, timeOf);
  if (!found) return fail("device/no-tile", undefined, profile.name, spec.out.width, spec.a.width, lacking(profile, spec)); // prettier-ignore
  memory.set(key, found);
  return found;
}
