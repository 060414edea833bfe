/** How attention is cut to fit a machine: rows of queries, keys at a time, and the steps within. */
import { keysAtATime } from "../../../../src/ir/ops/attention.ts";
import { globalSpace, type Profile } from "../../../../src/machine/profile.ts";
import { matrixCycles, matrixRate, memoryBytesPerCycle, pathBetween, spaceOf, usableBytes } from "../../../../src/machine/rates.ts"; // prettier-ignore
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
  /** The last columns of a key that all heads share and that lie apart; none where a key is one run. */
  readonly tail?: number;
  /** Values are the first columns of the keys. */
  readonly isLatent: boolean;
  /** The most queries of a sequence in one launch. */
  readonly queries: number;
  /** Sequences in one launch, and keys of each, where they are known: they tell into how many pieces keys are best cut. */
  readonly sequences?: number;
  readonly keys?: number;
};

/** What every way to cut attention says. */
export type Tiling = {
  /** Rows of the matrix unit: `queries` queries, `heads` heads of each. */
  readonly rows: number;
  readonly queries: number;
  readonly heads: number;
  /** Of them, rows of one vector core. */
  readonly share: number;
  readonly keys: number;
  /** Columns of sums that leave the matrix unit at a time. */
  readonly columns: number;
  /** Tiles of keys between the scores of one and its weights times values. */
  readonly lag: number;
  /** Into how many pieces the keys of a sequence are cut; those are put together by a kernel of its own. */
  readonly pieces: number;
};

/** The vector cores keep the sums. */
export type AttentionTile = Tiling & {
  /** Columns of queries and keys multiplied at a time, and columns of values. */
  readonly depth: number;
  readonly narrow: number;
  /** Copies of scores and of sums in the matrix unit's accumulators, and of scores and weights in the vector unit's space. */
  readonly scores: number;
  readonly drains: number;
  readonly ahead: number;
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

export const upTo = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

export type Buffer = readonly [space: string, dtype: DType, rows: number, cols: number, copies: number];

/** The buffers of a tile, by name. */
export function buffersOf(profile: Profile, shape: AttentionShape, tile: AttentionTile) {
  const { a, b, c } = profile.matrix;
  const [stage, ub] = [stageOf(profile), profile.vector.space];
  const { dtype, dim, width, out } = shape;
  const { rows, share, keys, depth, narrow, columns, lag, scores, drains, ahead } = tile;
  const [k, d] = [upTo(keys, 16), upTo(dim, 16)];
  return {
    q1: [stage, dtype, rows, d, 1],
    k1: [stage, dtype, k, d, shape.isLatent ? lag + 2 : 2],
    ...(!shape.isLatent && { v1: [stage, dtype, k, upTo(width, 16), 2] as const }),
    p1: [stage, dtype, rows, k, isFused(profile) ? lag + 1 : shape.isLatent ? 1 : 2],
    q0: [a, dtype, rows, depth, 2],
    p0: [a, dtype, rows, k, 1],
    k0: [b, dtype, k, depth, 2],
    v0: [b, dtype, narrow, k, 2],
    sc: [c, "f32", rows, k, scores],
    oc: [c, "f32", rows, columns, drains],
    sum: [ub, "f32", Math.ceil(width / columns) * share, columns, 1],
    s: [ub, "f32", share, k, ahead],
    p: [ub, dtype, share, k, ahead],
    o: [ub, "f32", share, columns, 2],
    // What leaves is there twice where it may go slowly; where the matrix unit's sums are beside it, room for more rows is worth more.
    y: [ub, tile.pieces > 1 ? "f32" : out, share, upTo(columns, 32), isFused(profile) ? 1 : 2],
    below: [ub, "f32", share, tile.queries > 1 ? k : 8, 1],
    order: [ub, "f32", share, 8, 1],
  } as const satisfies Record<string, Buffer>;
}

/** Flags that a tile needs: one for the queries, and one for each copy of keys and of weights or values. */
const flagsOf = ({ isLatent }: AttentionShape, { lag }: Pick<AttentionTile, "lag">): number => 1 + (isLatent ? lag + 3 : 4); // prettier-ignore

/** Flags between two engines that kernels may use. */
export const flagsIn = ({ flags }: Profile): number => flags.perPair.value - flags.reserved.value;

/** Whether there are flags and room for a tile. */
export function fits(profile: Profile, shape: AttentionShape, tile: AttentionTile): boolean {
  if (flagsOf(shape, tile) > flagsIn(profile)) return false;
  return haveRoom(profile, buffersOf(profile, shape, tile), (5 + tile.lag) * tile.share);
}

/** What the smallest tile needs and a machine has not, in words. */
export function lacking(profile: Profile, shape: AttentionShape): string {
  const smallest = cuts(profile, shape).findLast(({ lag }) => lag === 1);
  if (!smallest) return "";
  const tile = { ...smallest, pieces: 1, depth: least, narrow: least };
  const full = [...roomTaken(profile, buffersOf(profile, shape, tile), (5 + tile.lag) * tile.share)].flatMap(
    ([name, bytes]) => {
      const room = usableBytes(spaceOf(profile, name));
      return bytes > room ? [`${bytes} bytes of ${name}, of which there are ${room}`] : [];
    },
  );
  return full.join(", ");
}

type Buffers = Readonly<Record<string, Buffer>>;

/** Whether there is room for buffers, and besides for single columns of so many numbers in all on the vector cores. */
export const haveRoom = (profile: Profile, buffers: Buffers, columns: number): boolean =>
  [...roomTaken(profile, buffers, columns)].every(
    ([name, bytes]) => bytes <= usableBytes(spaceOf(profile, name)),
  );

/** Bytes of each space that buffers and columns take. */
function roomTaken(profile: Profile, buffers: Buffers, columns: number): ReadonlyMap<string, number> {
  const used = new Map<string, number>();
  for (const [space, dtype, rows, cols, copies] of Object.values(buffers))
    used.set(space, (used.get(space) ?? 0) + copies * bufferBytes({ dtype, rows, cols }, spaceOf(profile, space))); // prettier-ignore
  const { space } = profile.vector;
  const beside = 4 * columns + 8 * spaceOf(profile, space).align.value;
  return used.has(space) ? used.set(space, (used.get(space) ?? 0) + beside) : used;
}

/**
 * Cycles for each row and key, by what bounds them: the busiest engine; or a buffer, held so long by one tile and there in so many copies; or the
 * whole way of a tile from its keys to its weights, so many tiles being under way.
 */
function cost(profile: Profile, shape: AttentionShape, tile: AttentionTile): number {
  const { matrix, vector } = profile;
  const { dim, width, dtype, heads, groups } = shape;
  const { keys, depth, narrow, columns, lag, scores, drains, ahead } = tile;
  const rows = Math.min(tile.rows, Math.ceil(heads / groups) * shape.queries);
  const share = Math.min(tile.share, rows);
  const rate = matrixRate(profile, dtype);
  if (!rate) return Infinity;
  const [stage, ub, gm, fused] = [stageOf(profile), vector.space, globalSpace, isFused(profile)];
  const bytes = dtypes[dtype].bits / 8;
  const product = (n: number, k: number): number => matrix.startup.value + matrixCycles(rate, rows, n, k);
  const copied = (from: string, to: string, of: number): number => {
    const path = pathBetween(profile, from, to);
    return path ? path.startup.value + of / path.bytesPerCycle.value : 0;
  };
  const late = (from: string, to: string): number => pathBetween(profile, from, to)?.latency?.value ?? 0;
  const worked = (of: number, instructions: number, times: number): number =>
    instructions * vector.startup.value + (times * 4 * of) / vector.bytesPerCycle.value;

  const chunks = Math.ceil(width / columns);
  const scoring = Math.ceil(dim / depth) * product(keys, Math.min(dim, depth));
  const summing = Math.ceil(width / narrow) * product(Math.min(width, narrow), keys);
  const out = fused ? ub : gm;
  const [scored, summed] = [copied(matrix.c, out, 4 * rows * keys), copied(matrix.c, out, (4 * rows * width) / chunks)]; // prettier-ignore
  const softmax = worked(share * keys, 12, 12);
  const update = worked((share * width) / chunks, 2, 2);
  const [taken, chunk] = fused ? [0, 0] : [copied(gm, ub, 4 * share * keys), copied(gm, ub, (4 * share * width) / chunks)]; // prettier-ignore
  const given = copied(ub, fused ? stage : gm, bytes * share * keys);
  const back = fused ? 0 : copied(gm, stage, bytes * rows * keys);
  const keyBytes = keys * dim * bytes;
  const allBytes = shape.isLatent ? keyBytes : keyBytes + keys * width * bytes;
  const inMemory = (of: number): number => (shape.queries > 1 ? 0 : of / (memoryBytesPerCycle(profile) / profile.groups.value)); // prettier-ignore
  const loaded = (of: number): number => Math.max(copied(gm, stage, of), inMemory(of));
  const way = late(gm, stage) + loaded(keyBytes) + scoring + scored + softmax + given + (fused ? 0 : late(matrix.c, gm) + late(gm, ub) + taken + late(ub, gm) + late(gm, stage) + back); // prettier-ignore
  const bounds = [
    scoring + summing,
    loaded(allBytes) + back,
    Math.ceil(dim / depth) * copied(stage, matrix.a, rows * depth * bytes) + Math.ceil(dim / depth) * copied(stage, matrix.b, keys * depth * bytes) + Math.ceil(width / narrow) * copied(stage, matrix.b, keys * narrow * bytes), // prettier-ignore
    softmax + chunks * update + (fused ? scored + chunks * summed + given : 0),
    fused ? 0 : scored + chunks * summed,
    fused ? 0 : taken + chunks * chunk,
    (scoring + scored + late(matrix.c, out)) / scores,
    (summing + chunks * (summed + late(matrix.c, out))) / drains,
    (late(out, ub) + taken + softmax) / ahead,
    (chunks * (late(out, ub) + chunk + update)) / 2,
    (softmax + given + late(ub, gm)) / ahead,
    way / (lag + 1),
    shape.isLatent ? (way + summing) / (lag + 2) : (late(gm, stage) + loaded(keyBytes) + scoring) / 2,
  ];
  return Math.max(...bounds) / rows / keys;
}

export const halvings = (from: number, to: number): readonly number[] =>
  from < to ? [] : [from, ...halvings(from / 2, to)];

/** Copies of scores, of sums, and of what the vector unit takes. */
const copies = [2, 1].flatMap((scores) => [3, 2, 1].flatMap((drains) => [2, 1].map((ahead) => ({ scores, drains, ahead })))); // prettier-ignore
/** Keys of a tile. In float32 they are the CPU's, so that sums are the same to the last bit. */
const keysOf = ({ dtype, dim }: AttentionShape): readonly number[] =>
  dtype === "f32" ? [keysAtATime(dim)] : mostKeys;
const mostKeys = [512, 384, 256, 192, 160, 128, 112, 96, 80, 64, 48, 32, 16];
const [least, largest] = [32, 256];
/** Columns multiplied at a time, of keys and of values, the largest first. */
const steps = halvings(largest, least)
  .flatMap((depth) => halvings(largest, least).map((narrow) => ({ depth, narrow })))
  .sort((a, b) => Math.min(b.depth, b.narrow) - Math.min(a.depth, a.narrow) || b.depth + b.narrow - a.depth - a.narrow); // prettier-ignore

/** Every cut but for its steps within. */
function cuts(
  profile: Profile,
  shape: AttentionShape,
): readonly Omit<AttentionTile, "depth" | "narrow" | "pieces">[] {
  const together = shape.heads / shape.groups;
  const vectors = coresOf(profile, profile.vector.core);
  const most = upTo(Math.min(128, together * shape.queries), 16);
  const widths = halvings(512, least).filter((it) => it < 2 * shape.width || it === least);
  return halvings(128, 16)
    .filter((rows) => rows < 2 * most || rows === 16)
    .flatMap((rows) => {
      const heads = Math.min(together, rows);
      const queries = Math.min(Math.floor(rows / heads), shape.queries);
      const share = queries > 1 ? Math.ceil(queries / vectors) * heads : Math.ceil(heads / vectors);
      return keysOf(shape).flatMap((keys) =>
        widths.flatMap(
          (columns) =>
          copies.flatMap((it) => [1, 2, 3].map((lag) => ({ rows, queries, heads, share, keys, columns, lag, ...it }))), // prettier-ignore
        ),
      );
    });
}

type Counted = { readonly tile: AttentionTile; readonly cost: number };

/**
 * The cuts that keep a machine busiest, by a plain count of cycles, the best first: of those with so many rows and keys at a time one each, so many
 * in all at most; none where none fits.
 */
export function attentionTiles(
  profile: Profile,
  shape: AttentionShape,
  most: number,
): readonly AttentionTile[] {
  const best = new Map<string, Counted>();
  // What leaves the vector cores is of four bytes where keys are cut in pieces.
  const pieces = shape.sequences === undefined ? 1 : 2;
  for (const cut of cuts(profile, shape)) {
    const size = `${cut.rows} ${cut.keys}`;
    const limit = (best.get(size)?.cost ?? Infinity) * 0.999;
    // No steps are better than the largest.
    if (cost(profile, shape, { ...cut, pieces, depth: largest, narrow: largest }) >= limit) continue;
    if (!fits(profile, shape, { ...cut, pieces, depth: least, narrow: least })) continue;
    const tile = steps
      .filter(({ narrow }) => narrow <= cut.columns)
      .map((it) => ({ ...cut, pieces, ...it }))
      .find((it) => fits(profile, shape, it));
    const found = tile ? cost(profile, shape, tile) : Infinity;
    if (tile && found < limit) best.set(size, { tile, cost: found });
  }
  const ranked = [...best.values()].toSorted((a, b) => a.cost - b.cost).slice(0, most);
  return ranked.map(({ tile, cost: each }) => ({
    ...tile,
    pieces: piecesOf(profile, shape, tile, each * tile.rows * tile.keys),
  }));
}

/**
 * Into how many pieces the keys of each sequence are best cut, a tile of them taking so many cycles: groups that had nothing to do work then, but
 * what they find is to be put together. In float32 keys stay together, so that their sums are those of the CPU.
 */
export function piecesOf(profile: Profile, shape: AttentionShape, tile: Tiling, cycles: number): number {
  const { sequences, keys, dtype } = shape;
  if (sequences === undefined || keys === undefined || dtype === "f32") return 1;
  const { clock, launch, groups, memory } = profile;
  const items = sequences * Math.ceil(shape.queries / tile.queries) * Math.ceil(shape.heads / tile.heads);
  const tiles = Math.ceil(keys / tile.keys);
  const taken = (pieces: number): number => {
    const turns = Math.ceil((items * pieces) / groups.value) * (Math.ceil(tiles / pieces) + tile.lag);
    const bytes = 2 * 4 * pieces * items * tile.rows * shape.width;
    const putTogether = launch.value * clock.value + bytes / memory.l2BytesPerCycle.value;
    return turns * cycles + (pieces > 1 ? putTogether : 0);
  };
  const most = Math.min(tiles, 4 * groups.value);
  return Array.from({ length: most }, (_, i) => i + 1).reduce(
    (best, it) => (taken(it) < taken(best) ? it : best),
    1,
  );
}
