import { choice, float } from "../attributes.ts";
import { defineOp } from "../define-op.ts";
import type { Dim } from "../dim.ts";
import { formatDims, sizeOf, type TensorType } from "../types.ts";

/**
 * Keys that engines of float32 take at a time in attention over queries of `dim` columns: their weights, relative to the largest score so far, meet
 * their values before the sum is added to what the blocks before gave. One number for all, so that sums have one order, whatever runs them.
 * Blocks of 64 suit heads of a few hundred columns; those of latent attention, 576 wide, have to share a chip's buffers with more.
 */
export const keysAtATime = (dim: number): number => (dim > 256 ? 32 : 64);

const covers = ({ dims }: TensorType, queries: Dim | undefined, keys: Dim | undefined): boolean =>
  dims.length === 2 && dims[0] === queries && dims[1] === keys;

export const attentionOps = {
  rope: defineOp({
    summary:
      "rotary position embedding (Su et al. 2021, eq. 34) of x [S, heads, dim]; `pairs` says which elements turn together",
    operands: ["x", "positions", "invFreq"],
    results: ["out"],
    attrs: {
      /** interleaved: (0,1), (2,3), …; halves: (0, dim/2), (1, dim/2+1), … */
      pairs: choice("interleaved", "halves"),
      /** Multiplies cos and sin (YaRN's attention factor). */
      scale: float,
    },
    infer: ([x, positions, invFreq]) => {
      const dim = x?.dims[2];
      if (!x || typeof dim !== "number" || x.dims.length !== 3) return "x must be [S, heads, dim]";
      if (positions?.dims[0] !== x.dims[0]) return "needs one position for each row of x";
      if (invFreq?.dims[0] !== dim / 2) return `invFreq must be [${dim / 2}]`;
      return [x];
    },
    flops: ([x], _, named) => 6 * sizeOf(x?.dims ?? [], named),
  }),
  attention: defineOp({
    summary:
      "causal attention of the last S of T positions; q [S, heads, dim], k [T, groups, dim], v [T, groups, width]; heads share groups in order; a mask [S, T] added to the scores takes the place of causality",
    operands: ["q", "k", "v", "mask?"],
    results: ["out"],
    attrs: { scale: float },
    infer: ([q, k, v, mask]) => {
      const [s, heads, dim] = q?.dims ?? [];
      const [t, groups, kd] = k?.dims ?? [];
      const [tv, gv, width] = v?.dims ?? [];
      if (s === undefined || heads === undefined || width === undefined) return "q, k and v must have rank 3";
      if (dim !== kd || t !== tv || groups !== gv || Number(heads) % Number(groups) !== 0)
        return `q ${formatDims(q?.dims ?? [])}, k ${formatDims(k?.dims ?? [])} and v ${formatDims(v?.dims ?? [])} do not fit`;
      if (mask && !covers(mask, s, t)) return `mask must be ${formatDims([s, t ?? 0])}`;
      return [{ dtype: "f32", dims: [s, heads, width] }];
    },
    flops: ([q, k, v], _, named) =>
      2 * sizeOf(q?.dims ?? [], named) * sizeOf(k?.dims.slice(0, 1) ?? [], named) +
      2 * sizeOf(q?.dims.slice(0, 2) ?? [], named) * sizeOf([v?.dims[0] ?? 0, v?.dims[2] ?? 0], named),
  }),
  latentAttention: defineOp({
    summary:
      "multi-head latent attention (DeepSeek-V2, section 2.1): keys and values are w applied to the latent part of the cache; the cache's tail is the rotary key that all heads share; a mask as in attention",
    operands: ["qNope", "qRope", "cache", "w", "mask?"],
    results: ["out"],
    attrs: { scale: float },
    infer: ([qNope, qRope, cache, w, mask]) => {
      const [s, heads, nope] = qNope?.dims ?? [];
      const [s2, heads2, rope] = qRope?.dims ?? [];
      const [wHeads, rows, latent] = w?.dims ?? [];
      const width = cache?.dims[1];
      if (s === undefined || heads === undefined || s !== s2 || heads !== heads2 || heads !== wHeads)
        return "qNope [S, heads, nope], qRope [S, heads, rope] and w [heads, nope+value, latent] must agree";
      if (Number(latent) + Number(rope) !== width)
        return `the cache must be [T, ${Number(latent) + Number(rope)}]`;
      if (!(Number(rows) > Number(nope))) return "w must hold key rows and value rows";
      if (mask && !covers(mask, s, cache?.dims[0]))
        return `mask must be ${formatDims([s, cache?.dims[0] ?? 0])}`;
      return [{ dtype: "f32", dims: [s, heads, Number(rows) - Number(nope)] }];
    },
    flops: ([q, , cache, w], _, named) =>
      4 * sizeOf(q?.dims.slice(0, 2) ?? [], named) * sizeOf(cache?.dims ?? [], named) +
      2 * sizeOf(w?.dims ?? []) * sizeOf(q?.dims.slice(0, 1) ?? [], named),
  }),
} as const;
