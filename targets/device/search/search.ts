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
import { searchKey, type Remembered, type TileMemory } from "./remembered.ts";

/** Tiles that are timed where no one asks for more. */
export const usualTrials = 8;

/** Instructions that are walked through, for each tile that is to be tried, before the search is content with what it has. */
const patience = 20_000;

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

/** Legal tiles, the best by formula first. Equals stay in the order of the candidates. */
function rankedTiles(profile: Profile, spec: GemmSpec, rows: number): readonly Tile[] {
  const estimate = estimator(profile, spec, rows);
  return candidates(profile, spec, rows)
    .map((tile) => ({ tile, cycles: estimate(tile) }))
    .toSorted((a, b) => a.cycles - b.cycles)
    .map((it) => it.tile);
}

/**
 * The fastest tile for so many rows, of published ones and the `trials` best by formula. Deterministic: of equals, the first. What `memory` has
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
  const ranked = [
    ...publishedTiles(profile, spec).slice(0, 1),
    ...diverse(rankedTiles(profile, spec, rows)).slice(0, trials),
  ];
  let [best, walked]: [Remembered | undefined, number] = [undefined, 0];
  for (const tile of ranked) {
    const timing = timed(profile, spec, tile, rows);
    walked += timing.walked;
    if (!best || timing.cycles < best.cycles) best = { tile, cycles: timing.cycles };
    if (walked > patience * trials) break;
  }
  if (!best)
    return fail(
      "device/no-tile",
      undefined,
      profile.name,
      spec.out.width,
      spec.a.width,
      lacking(profile, spec),
    );
  memory.set(key, best);
  return best;
}
