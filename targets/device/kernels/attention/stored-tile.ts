/** How attention is cut whose sums stay in memory, and which cut is best. */
import { globalSpace, type Profile } from "../../../../src/machine/profile.ts";
import { matrixCycles, matrixRate, memoryBytesPerCycle, pathBetween, pathRate, roomOf } from "../../../../src/machine/rates.ts"; // prettier-ignore
import { coresOf } from "../../../../src/machine/schedule/cores.ts";
import { dtypes } from "../../../../src/tensor/dtype.ts";
import { halvings, haveRoom, isFused, piecesOf, stageOf, upTo, type AttentionShape, type Buffer, type Tiling } from "./tile.ts"; // prettier-ignore

/** Sums stay in memory, where the matrix unit's results are added to them. */
export type StoredTile = Tiling & {
  /** Keys whose scores leave the matrix unit at a time; columns of values that are staged at a time. */
  readonly block: number;
  readonly panel: number;
  /** Columns of queries and keys multiplied at a time, and keys of weights and values. */
  readonly depth: number;
  readonly narrow: number;
  /** Rows that a vector core takes at a time. */
  readonly slice: number;
};

export const isStored = (tile: Tiling): tile is StoredTile => "panel" in tile;

/** The buffers of a tile, by name. */
export function storedBuffers(profile: Profile, shape: AttentionShape, tile: StoredTile) {
  const { a, b, c } = profile.matrix;
  const [stage, ub] = [stageOf(profile), profile.vector.space];
  const { dtype, dim, out } = shape;
  const { rows, keys, block, panel, columns, depth, narrow, slice } = tile;
  return {
    q1: [stage, dtype, rows, upTo(dim, 16), 1],
    k1: [stage, dtype, block, upTo(dim, 16), 1],
    p1: [stage, dtype, rows, keys, 1],
    v1: [stage, dtype, keys, panel, 1],
    q0: [a, dtype, rows, depth, 2],
    p0: [a, dtype, rows, narrow, 2],
    k0: [b, dtype, block, depth, 2],
    v0: [b, dtype, columns, narrow, 2],
    sc: [c, "f32", rows, block, 1],
    oc: [c, "f32", rows, columns, 1],
    s: [ub, "f32", slice, keys, 2],
    p: [ub, dtype, slice, keys, 2],
    o: [ub, "f32", slice, columns, 1],
    e: [ub, "f32", slice, columns, 2],
    y: [ub, tile.pieces > 1 ? "f32" : out, slice, columns, 1],
    top: [ub, "f32", 1, 8, 1],
    rises: [ub, "i32", 1, 8, 1],
  } as const satisfies Record<string, Buffer>;
}

/** Columns of numbers on the vector cores besides. */
const singles = 6;

/** Cycles of a tile of keys: what the matrix unit and those that serve it do one after another, or what else is busiest. */
function cyclesOf(profile: Profile, shape: AttentionShape, tile: StoredTile): number {
  const { matrix, vector, memory, groups } = profile;
  const rate = matrixRate(profile, shape.dtype);
  const [stage, c] = [stageOf(profile), matrix.c];
  const load = pathBetween(profile, globalSpace, stage);
  const [toA, toB] = [pathBetween(profile, stage, matrix.a), pathBetween(profile, stage, matrix.b)];
  const drain = pathBetween(profile, c, globalSpace);
  if (!rate || !load || !toA || !toB || !drain) return Infinity;
  const { dtype, dim, width } = shape;
  const { rows, keys, block, panel, columns, depth, narrow, share } = tile;
  const bytes = dtypes[dtype].bits / 8;
  const step = (n: number, k: number): number =>
    Math.max(
      matrix.startup.value + matrixCycles(rate, rows, n, k),
      toA.startup.value + (rows * k * bytes) / pathRate(toA, dtype) + toB.startup.value + (n * k * bytes) / pathRate(toB, dtype), // prettier-ignore
    );
  const drained = (n: number): number => drain.startup.value + (4 * rows * n) / pathRate(drain, "f32");
  const staged = (of: number, columnsOf: number, rateOf: number): number =>
    of * Math.max(load.rearranging?.rowCycles.value ?? 0, roomOf(load, columnsOf * bytes) / rateOf);
  const chip = (memoryBytesPerCycle(profile) * memory.sustained.value) / groups.value;
  const panels = Math.ceil(width / panel);
  const scoring = Math.ceil(keys / block) * Math.ceil(dim / depth) * step(block, depth);
  const summing = Math.ceil(width / columns) * Math.ceil(keys / narrow) * step(columns, narrow);
  const waiting = panels * (Math.ceil(panel / columns) - 1) * drained(columns);
  const operands = panels * (staged(keys, panel, pathRate(load, dtype)) + staged(rows, keys, pathRate(load, dtype))); // prettier-ignore
  return Math.max(
    scoring + summing + waiting,
    staged(keys, dim, shape.queries > 1 ? pathRate(load, dtype) : chip) + operands,
    Math.ceil(keys / block) * drained(block) + Math.ceil(width / columns) * drained(columns),
    (12 * 4 * share * keys) / vector.bytesPerCycle.value,
  );
}

const multiples = (of: number, ...sizes: readonly number[]): readonly number[] =>
  sizes.filter((it) => it % of === 0);

/** The cut that takes fewest cycles, by a plain count; undefined where attention cannot be cut so: one query a tile, whose heads share keys, on split cores. */
export function storedTile(
  profile: Profile,
  shape: AttentionShape,
): { readonly tile: StoredTile; readonly cycles: number } | undefined {
  const together = shape.heads / shape.groups;
  if (isFused(profile) || together < 16 || shape.dtype === "f32") return undefined;
  const vectors = coresOf(profile, profile.vector.core);
  let best: { readonly tile: StoredTile; readonly cost: number } | undefined;
  for (const rows of halvings(128, 16).filter((it) => it < 2 * together))
    for (const keys of [512, 256, 128])
      for (const panel of [512, 256, 128])
        for (const columns of multiples(1, 256, 128, 64).filter((it) => panel % it === 0))
          for (const block of [256, 128, 64].filter((it) => (keys * panel) % (it * upTo(shape.width, panel)) === 0))
            for (const step of [128, 64])
              for (const slice of [32, 16]) {
                const heads = Math.min(together, rows);
                const share = Math.ceil(heads / vectors);
                const tile: StoredTile = { rows, queries: 1, heads, share, keys, columns, lag: 2, pieces: 1, block, panel, depth: step, narrow: step, slice: Math.min(slice, upTo(share, 8)) }; // prettier-ignore
                // Results may be of four bytes where keys are cut in pieces.
                if (!haveRoom(profile, storedBuffers(profile, shape, { ...tile, pieces: 2 }), singles * share)) continue; // prettier-ignore
                const cost = cyclesOf(profile, shape, tile) / Math.min(rows, together);
                if (!best || cost / keys < (best.cost / best.tile.keys) * 0.999) best = { tile, cost };
              } // prettier-ignore
  if (!best) return undefined;
  const { tile } = best;
  const cycles = cyclesOf(profile, shape, tile);
  return { tile: { ...tile, pieces: piecesOf(profile, shape, tile, cycles) }, cycles };
}
