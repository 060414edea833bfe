/** The best tile of a product on a machine: all legal ones ranked by formula, the best few timed, the fastest kept. */
import type { Profile } from "../../../src/machine/profile.ts";
import { time, type Timing } from "../../../src/machine/simulate/time.ts";
import { gemm } from "../kernels/matrix/gemm.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import type { Tile } from "../kernels/matrix/tile.ts";
import { candidates } from "./candidates.ts";
import { estimator } from "./estimate.ts";

export type Found = { readonly tile: Tile; readonly timing: Timing };

/** Tiles that are timed where no one asks for more. */
export const usualTrials = 8;

/** Rows dealt out evenly, as what the `offsets` of experts hold. */
export const evenOffsets =
  (spec: GemmSpec, rows: number) =>
  (_: string, [e = 0]: readonly number[]): number =>
    Math.round((rows * e) / (spec.experts ?? 1));

/** A kernel's time for so many rows. */
export const timed = (profile: Profile, spec: GemmSpec, tile: Tile, rows: number): Timing =>
  time(gemm(profile, spec, tile), profile, {
    sizes: new Map([["S", rows]]),
    reader: evenOffsets(spec, rows),
  });

/** Of tiles of one size, that differ only in how they are staged, the best two. */
function diverse<T extends { readonly tile: Tile }>(ranked: readonly T[]): readonly T[] {
  const taken = new Map<string, number>();
  return ranked.filter(({ tile: { m, n } }) => {
    const before = taken.get(`${m} ${n}`) ?? 0;
    taken.set(`${m} ${n}`, before + 1);
    return before < 2;
  });
}

/** The fastest of the `trials` best tiles by formula. Deterministic: of equals, the first in the order of the candidates. */
export function bestTile(profile: Profile, spec: GemmSpec, rows: number, trials = usualTrials): Found {
  const estimate = estimator(profile, spec, rows);
  const ranked = candidates(profile, spec, rows)
    .map((tile) => ({ tile, cycles: estimate(tile) }))
    .toSorted((a, b) => a.cycles - b.cycles);
  let best: Found | undefined;
  for (const { tile } of diverse(ranked).slice(0, trials)) {
    const timing = timed(profile, spec, tile, rows);
    if (!best || timing.cycles < best.timing.cycles) best = { tile, timing };
  }
  if (!best) throw new RangeError(`no tile of ${profile.name} holds a product ${spec.out.width} wide`);
  return best;
}
