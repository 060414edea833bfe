/** Tiles for experts whose rows are not spread evenly, as they never are: those that stand the even case nearly as well as the best, and bear others better. */
import type { Profile } from "../../../src/machine/profile.ts";
import type { Timing } from "../../../src/machine/simulate/time.ts";
import { zipfOffsets } from "../../../src/plan/program/row-blocks.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import type { Tile } from "../kernels/matrix/tile.ts";
import { candidates } from "./candidates.ts";
import { estimator } from "./estimate.ts";
import type { Remembered } from "./remembered.ts";

/** How much longer a tile may take of even rows than the best. */
const allowance = 0.04;

/** How many times the rows that an expert has of even ones a tile may have, and how many such tiles are timed. */
const taller = 2;
const tried = 6;

/** How much more popular some experts are, by Zipf's law: in the middle of what placements are tested with. */
const exponent = 0.6;

/** Times a tile with rows spread as offsets say. */
type TimeOf = (tile: Tile, offsets?: readonly number[]) => Timing;

/**
 * Of the best tile for even rows and of taller ones, whose blocks an expert of many rows has fewer of, the fastest for uneven rows. None that is taken
 * is slower for even rows than `limit` cycles, or than the best by more than the allowance.
 */
export function sturdiest(
  profile: Profile,
  spec: GemmSpec,
  rows: number,
  best: Remembered,
  limit: number,
  timeOf: TimeOf,
): Remembered {
  const { experts } = spec;
  const tall = tallTiles(profile, spec, rows);
  if (experts === undefined || tall.length === 0) return best;
  const offsets = zipfOffsets(experts, rows, exponent);
  const most = Math.min(limit, best.cycles * (1 + allowance));
  let [found, least] = [best, timeOf(best.tile, offsets).cycles];
  for (const tile of tall) {
    const { cycles } = timeOf(tile);
    if (cycles > most) continue;
    const uneven = timeOf(tile, offsets).cycles;
    if (uneven < least) [found, least] = [{ tile, cycles }, uneven];
  }
  return found;
}

/** Tiles of more rows than an expert has of even ones, the best of each height by formula; none where that is many as it is, or few of one fragment. */
function tallTiles(profile: Profile, spec: GemmSpec, rows: number): readonly Tile[] {
  const mean = rows / (spec.experts ?? rows);
  if (mean * taller < 32 || mean >= 128) return [];
  const estimate = estimator(profile, spec, rows * taller);
  const tall = candidates(profile, spec, rows * taller).filter((it) => it.area.m > mean);
  return [...Map.groupBy(tall, (it) => it.area.m).values()]
    .map((of) =>
      of.map((tile) => ({ tile, cycles: estimate(tile) })).reduce((a, b) => (b.cycles < a.cycles ? b : a)),
    )
    .toSorted((a, b) => a.cycles - b.cycles)
    .slice(0, tried)
    .map((it) => it.tile);
}
