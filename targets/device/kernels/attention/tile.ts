/** How attention is cut to fit a machine: rows of queries, keys at a time, and the steps within. */
import { globalSpace, type Profile } from "../../../../src/machine/profile.ts";
import { matrixRate, memoryBytesPerCycle, pathBetween, spaceOf, usableBytes } from "../../../../src/machine/rates.ts"; // prettier-ignore
import { coresOf } from "../../../../src/machine/schedule/cores.ts";
import { bufferBytes } from "../../../../src/machine/verify/capacity.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";

/** What attention is to be cut. */
export type AttentionShape = {
  readonly dtype: DType;
  readonly out: DType;
  readonly heads: number;
  /** Heads that share keys stand together; so many groups. */
  readonly groups: number;
  /** Columns of a query and key, and of a value. */
  readonly dim: number;
  readonly width: number;
  /** Values are the first columns of the keys. */
  readonly isLatent: boolean;
  /** The most queries of a sequence in one launch. */
  readonly queries: number;
};

export type AttentionTile = {
  /** Rows of the matrix unit: `queries` queries, `heads` heads of each. */
  readonly rows: number;
  readonly queries: number;
  readonly heads: number;
  /** Of them, rows of one vector core. */
  readonly share: number;
  readonly keys: number;
  /** Copies of a tile of keys. */
  readonly copies: number;
  /** Columns of queries and keys multiplied at a time. */
  readonly depth: number;
  /** Columns of values at a time, of the matrix unit and of the vector unit. */
  readonly columns: number;
  readonly chunk: number;
};

/** Whether matrices go from the matrix unit to the vector unit without passing global memory. */
export const isFused = (profile: Profile): boolean =>
  profile.matrix.core === profile.vector.core &&
  pathBetween(profile, profile.matrix.c, profile.vector.space) !== undefined;

/** The space from which the matrix unit's operands are filled. */
export function stageOf(profile: Profile): string {
  const { core, a, b } = profile.matrix;
  const into = (space: string) => profile.paths.filter((it) => it.core === core && it.to === space);
  const found = into(a).find((it) => into(b).some((other) => other.from === it.from));
  return found?.from ?? globalSpace;
}

const upTo = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

type Buffer = readonly [space: string, dtype: DType, rows: number, cols: number, copies: number];

/** The buffers of a tile, by name. */
export function buffersOf(profile: Profile, shape: AttentionShape, tile: AttentionTile) {
  const { a, b, c } = profile.matrix;
  const [stage, ub] = [stageOf(profile), profile.vector.space];
  const { dtype, dim, width, out } = shape;
  const { rows, share, keys, copies, depth, columns, chunk } = tile;
  const [k, d] = [upTo(keys, 16), upTo(dim, 16)];
  return {
    q1: [stage, dtype, rows, d, 1],
    k1: [stage, dtype, k, d, copies],
    ...(!shape.isLatent && { v1: [stage, dtype, k, upTo(width, 16), 2] as const }),
    p1: [stage, dtype, rows, k, 2],
    q0: [a, dtype, rows, depth, 2],
    p0: [a, dtype, rows, k, 1],
    k0: [b, dtype, k, depth, 2],
    v0: [b, dtype, columns, k, 2],
    sc: [c, "f32", rows, k, 1],
    oc: [c, "f32", rows, columns, 2],
    sum: [ub, "f32", share, upTo(width, 16), 1],
    s: [ub, "f32", share, k, 2],
    p: [ub, dtype, share, k, 2],
    o: [ub, "f32", share, chunk, 2],
    y: [ub, out, share, upTo(chunk, 32), 2],
    seen: [ub, "f32", share, tile.queries > 1 ? k : 8, 1],
    order: [ub, "f32", share, 8, 1],
  } as const satisfies Record<string, Buffer>;
}

function fits(profile: Profile, shape: AttentionShape, tile: AttentionTile): boolean {
  const used = new Map<string, number>();
  for (const [space, dtype, rows, cols, copies] of Object.values(buffersOf(profile, shape, tile)))
    used.set(space, (used.get(space) ?? 0) + copies * bufferBytes({ dtype, rows, cols }, spaceOf(profile, space))); // prettier-ignore
  // Single columns stand besides.
  return [...used].every(([name, bytes]) => {
    const space = spaceOf(profile, name);
    const columns = name === profile.vector.space ? 8 * upTo(4 * tile.share, space.align.value) : 0;
    return bytes + columns <= usableBytes(space);
  });
}

/** Cycles a tile of keys takes for each of its rows and keys: those of the busiest of the matrix unit, its way out, the vector unit, the memory. */
function cost(profile: Profile, shape: AttentionShape, tile: AttentionTile): number {
  const { matrix, vector } = profile;
  const { dim, width, dtype, heads, groups } = shape;
  const { keys } = tile;
  const rows = Math.min(tile.rows, Math.ceil(heads / groups) * shape.queries);
  const rate = matrixRate(profile, dtype);
  if (!rate) return Infinity;
  const product = (m: number, n: number, k: number): number =>
    matrix.startup.value + Math.ceil(m / rate.m) * Math.ceil(n / rate.n) * Math.ceil(k / rate.k) * rate.cycles.value; // prettier-ignore
  const products =
    Math.ceil(dim / tile.depth) * product(rows, keys, Math.min(dim, tile.depth)) +
    Math.ceil(width / tile.columns) * product(rows, Math.min(width, tile.columns), keys);
  const way = pathBetween(profile, matrix.c, isFused(profile) ? vector.space : globalSpace);
  const steps = Math.ceil(width / tile.columns);
  const drained = (4 * rows * (keys + width)) / (way?.bytesPerCycle.value ?? 1) + (steps + 1) * (way?.startup.value ?? 0); // prettier-ignore
  const share = Math.min(tile.share, rows);
  const passes = share * (12 * keys + 2 * width) * 4;
  const instructions = 14 + 2 * Math.ceil(width / tile.chunk);
  const worked = passes / vector.bytesPerCycle.value + instructions * vector.startup.value + (isFused(profile) ? drained : 0); // prettier-ignore
  const bytes = (keys * (shape.isLatent ? dim : dim + width) * dtypes[dtype].bits) / 8;
  const moved = bytes / (memoryBytesPerCycle(profile) / profile.groups.value);
  return Math.max(products, drained, worked, shape.queries > 1 ? 0 : moved) / rows / keys;
}

const halvings = (from: number, to: number): readonly number[] =>
  from < to ? [] : [from, ...halvings(from / 2, to)];

/** The cut that keeps a machine busiest, by a plain count of cycles. Throws where none fits. */
export function attentionTile(profile: Profile, shape: AttentionShape): AttentionTile {
  const together = shape.heads / shape.groups;
  const vectors = coresOf(profile, profile.vector.core);
  const most = upTo(Math.min(128, together * shape.queries), 16);
  const unit = 32;
  let best: { readonly tile: AttentionTile; readonly cost: number } | undefined;
  for (const rows of halvings(128, 16).filter((it) => it < 2 * most || it === 16)) {
    const heads = Math.min(together, rows);
    const queries = Math.min(Math.floor(rows / heads), shape.queries);
    const share = queries > 1 ? Math.ceil(queries / vectors) * heads : Math.ceil(heads / vectors);
    for (let keys = 256; keys >= 16; keys -= 16)
      for (const depth of halvings(256, unit).filter((it) => it < 2 * shape.dim || it === unit))
        for (const columns of halvings(256, unit).filter((it) => it < 2 * shape.width || it === unit)) {
          const tiles = (isFused(profile) ? [columns] : halvings(256, unit)).map((chunk) => ({ rows, queries, heads, share, keys, copies: shape.isLatent ? 3 : 2, depth, columns, chunk })); // prettier-ignore
          const tile = tiles.find((it) => fits(profile, shape, it));
          const found = tile && cost(profile, shape, tile);
          if (tile && found !== undefined && (!best || found < best.cost * 0.999))
            best = { tile, cost: found };
        }
  }
  if (!best) throw new RangeError(`attention of ${shape.dim} columns does not fit ${profile.name}`);
  return best.tile;
}
