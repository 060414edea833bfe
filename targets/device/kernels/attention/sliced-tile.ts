/** How attention over many queries is cut where cores meet in memory only, and which cuts are best. */
import { globalSpace, type Path, type Profile } from "../../../../src/machine/profile.ts";
import { matrixCycles, matrixRate, pathBetween, pathRate, roomOf } from "../../../../src/machine/rates.ts";
import { coresOf } from "../../../../src/machine/schedule/cores.ts";
import { dtypes } from "../../../../src/tensor/dtype.ts";
import { flagsIn, halvings, haveRoom, isFused, stageOf, upTo, type AttentionShape, type Buffer, type Tiling } from "./tile.ts"; // prettier-ignore

/** Tiles of many keys: vector cores take their scores a few rows at a time, and items follow one another without a pause. */
export type SlicedTile = Tiling & {
  /** Keys whose weights are staged at a time, and keys and values. */
  readonly weights: number;
  readonly block: number;
  /** Keys multiplied at a time, and values. */
  readonly step: number;
  readonly narrow: number;
  /** Rows that a vector core takes at a time. */
  readonly slice: number;
};

export const isSliced = (tile: Tiling): tile is SlicedTile => "slice" in tile && "step" in tile;

/** Columns in which keys behind a row's own query can stand, from an address on. */
export const masked = ({ queries }: Tiling): number => upTo(queries, 8) + 8;

/** Sums that are taken ahead, a few rows each. */
const ready = ({ share, slice }: SlicedTile): number => Math.min(4, Math.ceil(share / slice));

/** The buffers of a tile, by name. */
export function slicedBuffers(profile: Profile, shape: AttentionShape, tile: SlicedTile) {
  const { a, b, c } = profile.matrix;
  const [stage, ub] = [stageOf(profile), profile.vector.space];
  const { dtype, out } = shape;
  const { rows, share, keys, weights, block, step, narrow, slice } = tile;
  const [dim, width] = [upTo(shape.dim, 16), upTo(shape.width, 16)];
  return {
    q1: [stage, dtype, rows, dim, 1],
    k1: [stage, dtype, block, dim, 3],
    v1: [stage, dtype, block, width, 3],
    p1: [stage, dtype, rows, weights, 2],
    q0: [a, dtype, rows, dim, 1],
    p0: [a, dtype, rows, narrow, 2],
    k0: [b, dtype, step, dim, 2],
    v0: [b, dtype, width, narrow, 2],
    sc: [c, "f32", rows, step, 2],
    oc: [c, "f32", rows, width, 1],
    sum: [ub, "f32", share, upTo(shape.width, 8), 1],
    s: [ub, "f32", slice, keys, 2],
    p: [ub, dtype, slice, keys, 1],
    o: [ub, "f32", slice, upTo(shape.width, 8), ready(tile)],
    y: [ub, out, slice, upTo(shape.width, 32), 1],
    order: [ub, "f32", share, 8, 1],
    place: [ub, "f32", slice, masked(tile), 1],
    drowned: [ub, "f32", slice, masked(tile), 1],
    below: [ub, "f32", slice, masked(tile), 1],
  } as const satisfies Record<string, Buffer>;
}

/** Columns of numbers on the vector cores besides, of those that each turn has its own of one for each turn under way. */
const singles = ({ lag }: SlicedTile): number => 6 + lag + 1;

/** Instructions on columns of numbers that a slice takes. */
const onColumns = 8;

/** Cycles of the busiest engine for a whole tile of keys, for each row and key. */
function cost(profile: Profile, shape: AttentionShape, tile: SlicedTile): number {
  const { matrix, vector } = profile;
  const rate = matrixRate(profile, shape.dtype);
  const [stage, c] = [stageOf(profile), matrix.c];
  const path = (from: string, to: string): Path | undefined => pathBetween(profile, from, to);
  const [load, toA, toB, drain, take] = [path(globalSpace, stage), path(stage, matrix.a), path(stage, matrix.b), path(c, globalSpace), path(globalSpace, vector.space)]; // prettier-ignore
  if (!rate || !load || !toA || !toB || !drain || !take) return Infinity;
  const { dtype, dim, width } = shape;
  const { rows, keys, weights, block, step, narrow, slice, share } = tile;
  const bytes = dtypes[dtype].bits / 8;
  const { startup, factors, bytesPerCycle } = vector;
  const product = (n: number, k: number): number => matrix.startup.value + matrixCycles(rate, rows, n, k);
  const filled = (to: Path, of: number): number => to.startup.value + (of * bytes) / pathRate(to, dtype);
  const staged = (of: number, columns: number): number =>
    load.startup.value + of * Math.max(load.rearranging?.rowCycles.value ?? 0, roomOf(load, columns * bytes) / pathRate(load, dtype)); // prettier-ignore
  const drained = (columns: number): number =>
    drain.startup.value + Math.max((rows * roomOf(drain, 4 * columns)) / drain.bytesPerCycle.value, (4 * rows * columns) / pathRate(drain, "f32")); // prettier-ignore
  const [steps, summing] = [keys / step, keys / narrow];
  const passes = 2 * factors.elementwise.value + 2 * factors.reduce.value + factors.transcendental.value + factors.convert.value; // prettier-ignore
  const worked = (of: number, times: number): number => (times * 4 * of) / bytesPerCycle.value;
  const slices = Math.ceil(share / slice);
  const update = 2 * (slices * startup.value + worked(share * width, factors.elementwise.value));
  const softmax = (6 * slices + onColumns) * startup.value + worked(share * keys, passes);
  return (
    Math.max(
      steps * product(step, dim) + summing * product(width, narrow),
      (keys / block) * (staged(block, dim) + staged(block, width)) + (keys / weights) * staged(rows, weights),
      steps * filled(toB, step * dim) + summing * (filled(toA, rows * narrow) + filled(toB, width * narrow)),
      steps * drained(step) + drained(width),
      softmax + update,
      slices * 2 * take.startup.value + (4 * share * (keys + width)) / take.bytesPerCycle.value,
    ) /
    (rows * keys)
  );
}

/** The cuts that keep a machine busiest, by a plain count of cycles, the best first; none where cores share a memory, or tiles have one query. */
export function slicedTiles(profile: Profile, shape: AttentionShape, most: number): readonly SlicedTile[] {
  const { heads, groups, queries, isLatent, dtype } = shape;
  const together = heads / groups;
  if (isFused(profile) || isLatent || dtype === "f32") return [];
  return halvings(128, 16)
    .filter((rows) => rows >= 2 * together)
    .flatMap((rows) => cuts(profile, shape, rows, Math.min(Math.floor(rows / together), queries)))
    .filter((it) => it.queries > 1 && flagsOf(it) <= flagsIn(profile))
    .filter((it) => haveRoom(profile, slicedBuffers(profile, shape, it), singles(it) * it.share))
    .map((tile) => ({ tile, cost: cost(profile, shape, tile) }))
    .toSorted((a, b) => a.cost - b.cost)
    .slice(0, most)
    .map(({ tile }) => tile);
}

/** Flags between two engines: one for the queries, and one for each copy of weights, and of keys and values; or those of scores and sums. */
const flagsOf = (tile: SlicedTile): number => Math.max(1 + 2 + 3, 2 + ready(tile));

/** Every cut with so many rows, of so many queries. */
function cuts(profile: Profile, shape: AttentionShape, rows: number, queries: number): readonly SlicedTile[] {
  const heads = shape.heads / shape.groups;
  const share = Math.ceil(queries / coresOf(profile, profile.vector.core)) * heads;
  const tile = { rows, queries, heads, share, columns: shape.width, lag: 3, pieces: 1 };
  const slices = [32, 24, 16, 8].filter((it) => it % heads === 0 && it < share + 8);
  const blocks = [128, 64].flatMap((block) => [128, 64].filter((step) => step <= block).flatMap((step) => [64, 32].map((narrow) => ({ block, step, narrow })))); // prettier-ignore
  return [512, 384, 256, 128].flatMap((keys) =>
    [keys, 256]
      .filter((weights) => weights <= keys)
      .flatMap((weights) =>
        blocks.flatMap((it) => slices.map((slice) => ({ ...tile, keys, weights, ...it, slice }))),
      ),
  );
}
