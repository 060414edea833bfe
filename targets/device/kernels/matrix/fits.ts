/** Whether a machine can hold a tile. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { matrixRate, spaceOf, usableBytes } from "../../../../src/machine/rates.ts";
import { bufferBytes } from "../../../../src/machine/verify/capacity.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";
import { flowOf } from "./flow.ts";
import { vectorNeed } from "./room.ts";
import type { GemmSpec } from "./spec.ts";
import { partHeight, partWidth, type Tile } from "./tile.ts";

/**
 * Tells which tiles of a product a machine can hold: within the capacity of each space, and of parts that begin at whole fragments. Rows
 * are not cut where the vector unit empties the accumulators, piece by piece of columns.
 */
export function fitter(profile: Profile, spec: GemmSpec): (tile: Tile) => boolean {
  const { matrix, vector } = profile;
  const { stage, weight, acc, leaves, isWhole } = flowOf(profile, spec);
  const rate = matrixRate(profile, spec.a.dtype, weight);
  const spaces = new Map(
    [stage, matrix.a, matrix.b, matrix.c, vector.space].map((it) => [it, spaceOf(profile, it)]),
  );
  const holds = (
    name: string,
    copies: number,
    ...boxes: readonly (readonly [DType, number, number])[]
  ): boolean => {
    const space = spaces.get(name);
    if (!space) return false;
    const bytes = boxes.reduce((n, [dtype, rows, cols]) => n + bufferBytes({ dtype, rows, cols }, space), 0);
    return copies * bytes <= usableBytes(space);
  };
  return (tile) => {
    const { m, n, k, step, parts, copies, accs } = tile;
    const [high, wide] = [partHeight(tile), partWidth(tile)];
    if (!rate || step % rate.k !== 0) return false;
    // Each step begins where the staging space can be addressed.
    if (step < k && (step * dtypes[spec.a.dtype].bits) % 256 !== 0) return false;
    if (
      parts > 1 &&
      (tile.cut === "rows" ? (isWhole && leaves === "vector") || high % rate.m !== 0 : wide % rate.n !== 0)
    )
      return false;
    return (
      holds(matrix.a, 2, [spec.a.dtype, high, step]) &&
      holds(matrix.b, 2, [weight, wide, step]) &&
      holds(matrix.c, accs * parts, [acc, high, wide]) &&
      holds(stage, copies, [spec.a.dtype, m, k], [weight, n, k]) &&
      vectorNeed(profile, spec, tile) <= usableBytes(spaceOf(profile, vector.space))
    );
  };
}

/** Whether a machine can hold a tile of a product. */
export const fits = (profile: Profile, spec: GemmSpec, tile: Tile): boolean => fitter(profile, spec)(tile);
