/** Whether a machine can hold a tile. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { matrixRate, spaceOf, usableBytes } from "../../../../src/machine/rates.ts";
import { bufferBytes } from "../../../../src/machine/verify/capacity.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";
import { flowOf } from "./flow.ts";
import { vectorNeed } from "./room.ts";
import { heldCopies } from "./product.ts";
import { depthOf, matricesOf, runOf, type GemmSpec } from "./spec.ts";
import { partHeight, partWidth, pieceWidth, stagedWidth, undivided, type Tile } from "./tile.ts";

/**
 * Tells which tiles of a product a machine can hold: within the capacity of each space, and of parts that begin at whole fragments. Rows
 * are not cut where the vector unit empties the accumulators, piece by piece of columns.
 */
export function fitter(profile: Profile, spec: GemmSpec): (tile: Tile) => boolean {
  const { matrix, vector, flags } = profile;
  const { stage, weight, acc, leaves, isMade, isWhole } = flowOf(profile, spec);
  const rate = matrixRate(profile, spec.a.dtype, weight);
  const spaces = new Map(
    [stage, matrix.a, matrix.b, matrix.c, vector.space].map((it) => [it, spaceOf(profile, it)]),
  );
  const rooms = new Map([...spaces].map(([name, it]) => [name, usableBytes(it)]));
  const need = (name: string, copies: number, dtype: DType, rows: number, cols: number): number => {
    const space = spaces.get(name);
    return space ? copies * bufferBytes({ dtype, rows, cols }, space) : Infinity;
  };
  const holds = (name: string, bytes: number): boolean => bytes <= (rooms.get(name) ?? 0);
  const run = runOf(spec);
  const events = flags.perPair.value - flags.reserved.value;
  return (tile) => {
    const { m, n } = tile.area;
    const { k, step, copies, pieces, last } = tile.staged;
    const { parts, cut } = tile.sums;
    const [high, wide] = [partHeight(tile), partWidth(tile)];
    const apart = pieces?.depth ?? k;
    if (!rate || step % rate.k !== 0) return false;
    // Each step begins where the staging space can be addressed.
    if (step < k && (step * dtypes[spec.a.dtype].bits) % 256 !== 0) return false;
    // Weights are held whole as they are stored, of one matrix that all rows take.
    const isOneMatrix = spec.experts === undefined && matricesOf(spec) === 1;
    if (tile.runs !== undefined && (pieces || isMade || !isOneMatrix || run < depthOf(spec))) return false;
    if (copies > events) return false;
    // The last turns are of one sum, rows and weights are staged together, and no other core counts their turns.
    const isTogether =
      !pieces &&
      tile.runs === undefined &&
      !isMade &&
      tile.staged.ahead === undefined &&
      run === depthOf(spec);
    if (last !== undefined && (!isTogether || run <= k || k % last !== 0 || last % step !== 0)) return false;
    if (pieces && (isMade || copies + pieces.copies > events || k % apart !== 0 || apart % step !== 0))
      return false;
    // Each part has something to sum.
    if (parts > 1 && (cut === "rows" ? m <= high * (parts - 1) : n <= wide * (parts - 1))) return false;
    if (
      parts > 1 &&
      (cut === "rows" ? (isWhole && leaves === "vector") || high % rate.m !== 0 : wide % rate.n !== 0)
    )
      return false;
    return (
      holds(matrix.a, need(matrix.a, 2, spec.a.dtype, m, stagedWidth(step, spec.a.dtype))) &&
      holds(matrix.b, need(matrix.b, 2, weight, n, stagedWidth(step, weight))) &&
      holds(matrix.c, need(matrix.c, tile.sums.copies, acc, m, stagedWidth(n, acc))) &&
      holds(
        stage,
        need(stage, copies, spec.a.dtype, m, stagedWidth(k, spec.a.dtype)) +
          (tile.runs !== undefined
            ? need(stage, heldCopies, weight, n, stagedWidth(depthOf(spec), weight))
            : pieces
              ? need(stage, pieces.copies, weight, pieceWidth(tile, run), stagedWidth(apart, weight))
              : need(stage, copies, weight, n, stagedWidth(k, weight))),
      ) &&
      vectorNeed(profile, spec, tile) <= (rooms.get(vector.space) ?? 0)
    );
  };
}

/** The least that is staged, and multiplied, at a time. */
export const [leastDepth, leastStep] = [32, 16];

/** The spaces that the smallest tile of a product fills beyond what they hold, in words. */
export function lacking(profile: Profile, spec: GemmSpec): string {
  const { matrix, vector } = profile;
  const { stage, weight, acc } = flowOf(profile, spec);
  const rate = matrixRate(profile, spec.a.dtype, weight);
  if (!rate) return "";
  const { m, n } = rate;
  const [k, step] = [Math.max(rate.k, leastDepth), Math.max(rate.k, leastStep)];
  const tile: Tile = { area: { m, n }, staged: { k, step, copies: 1 }, sums: undivided };
  const need = (space: string, dtype: DType, rows: number, cols: number): number => bufferBytes({ dtype, rows, cols }, spaceOf(profile, space)); // prettier-ignore
  const needs: readonly (readonly [string, number])[] = [
    [matrix.a, 2 * need(matrix.a, spec.a.dtype, m, step)],
    [matrix.b, 2 * need(matrix.b, weight, n, step)],
    [matrix.c, need(matrix.c, acc, m, stagedWidth(n, acc))],
    [stage, need(stage, spec.a.dtype, m, k) + need(stage, weight, n, k)],
    [vector.space, vectorNeed(profile, spec, tile)],
  ];
  const room = (name: string): number => usableBytes(spaceOf(profile, name));
  return needs.filter(([name, bytes]) => bytes > room(name)).map(([name, bytes]) => `${name} takes ${bytes} bytes of ${room(name)}`).join(", "); // prettier-ignore
}

/** Whether a machine can hold a tile of a product. */
export const fits = (profile: Profile, spec: GemmSpec, tile: Tile): boolean => fitter(profile, spec)(tile);
