/**
 * Attention by tiles of keys (Dao et al. 2022, 2023): scores on the matrix unit, their running softmax on the vector unit, weights times values on the
 * matrix unit, sums brought to the new maximum on the vector unit. The matrix unit is some tiles ahead: it makes the scores of one while the
 * softmax of those before is on its way. Where its cores and the vector cores meet only in global memory, tiles pass through scratch there.
 */
import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { named } from "../name.ts";
import { headsOf, kernelOf, lines, type View } from "../vector/tile.ts";
import { cutOf, cutWith } from "./cut.ts";
import { fusedPart, matrixPart, vectorPart } from "./parts.ts";
import { isStored, storedBuffers, type StoredTile } from "./stored-tile.ts";
import { storedMatrixPart, storedScratch, storedVectorPart } from "./stored.ts";
import { dealtShape, dealtText, isDealt, ownColumns, type DealtTile } from "./dealt.ts";
import { scoresTensor, scoresText } from "./scores.ts";
import { isSliced, slicedBuffers, type SlicedTile } from "./sliced-tile.ts";
import { slicedMatrixPart, slicedScratch, slicedVectorPart } from "./sliced.ts";
import { isFused, type AttentionShape, type AttentionTile } from "./tile.ts";

/** Operands as they lie. Without `v` values are the first columns of the keys, as in the latent cache of DeepSeek-V2. */
export type AttentionSpec = {
  readonly q: View;
  readonly k: View;
  /** The last columns of the keys where all heads share these and they lie apart; `k` has the first. */
  readonly tail?: View;
  readonly v?: View;
  readonly out: View;
  readonly scale: number;
  /** The most queries of a sequence in one launch; a decoding plan has one. */
  readonly queries: number;
  /** Sequences in one launch and keys of each, about, where they are known. */
  readonly sequences?: number;
  readonly keys?: number;
};

/** What attention of a specification is. */
export const shapeOf = ({ q, k, tail, v, out, ...sizes }: AttentionSpec): AttentionShape => ({
  dtype: q.dtype,
  out: out.dtype,
  heads: headsOf(q),
  groups: headsOf(k),
  dim: q.width,
  width: out.width,
  ...(tail && { tail: tail.width }),
  isLatent: v === undefined,
  queries: sizes.queries,
  ...(sizes.sequences !== undefined && { sequences: sizes.sequences }),
  ...(sizes.keys !== undefined && { keys: sizes.keys }),
});

/** How attention is cut: the vector cores keep the sums, or they stay in memory. */
export type AttentionCut = AttentionTile | StoredTile | SlicedTile | DealtTile;

/**
 * Causal attention: of B sequences with P keys each in the cache and S queries behind, query s sees keys 0 to P + s. Tensors: `q` [B, S, heads,
 * dim], `k` [B, P + S, groups, dim], or its first columns and `tail` [B, P + S, 1, rest], `v` [B, P + S, groups, width], `out` [B, S, heads, width]. Where the tile cuts keys in pieces, instead of
 * `out` what `combine` takes: f32 `partial` [pieces, B, S, heads, width], `weights` and `maxima` [pieces, B, S, heads, 1]. Where it deals out
 * columns, instead of `q` and `k` what `attentionScores` gives.
 */
export function attention(profile: Profile, spec: AttentionSpec, tile: AttentionCut): Kernel {
  if (isDealt(tile)) return attentionSums(profile, spec, tile);
  const { q, k, tail, v, out } = spec;
  const shape = shapeOf(spec);
  const piece = (name: string, width: number): string =>
    `tensor ${name}: f32[${tile.pieces}, B, S, ${shape.heads}, ${width}] out`;
  return kernelOf(
    profile,
    lines(
      `kernel ${nameOf(shape)} for ${profile.name}`,
      "size B\nsize S\nsize P",
      tensor("q", q, "S", "in"),
      tensor("k", k, "P + S", "in"),
      tail && tensor("tail", tail, "P + S", "in"),
      v && tensor("v", v, "P + S", "in"),
      tile.pieces > 1
        ? lines(piece("partial", shape.width), piece("weights", 1), piece("maxima", 1))
        : tensor("out", out, "S", "out"),
      textOf(profile, shape, tile, spec.scale),
    ),
  );
}

/** Rows of scores have room for so many keys. */
export const pitchOf = ({ keys = 0 }: AttentionSpec): number => 64 * Math.ceil(keys / 64);

/** Scores of one query a sequence. Tensors: `q`, `k`, and `scores` f32 [B, heads, P + S], a row of which has room for all keys. */
export function attentionScores(profile: Profile, spec: AttentionSpec): Kernel {
  const shape = shapeOf(spec);
  return kernelOf(
    profile,
    lines(
      `kernel ${named("scores", sharingOf(shape), shape.dtype)} for ${profile.name}`,
      "size B\nsize S\nsize P",
      tensor("q", spec.q, "S", "in"),
      tensor("k", spec.k, "P + S", "in"),
      scoresTensor(shape.heads, pitchOf(spec), "out"),
      scoresText(profile, shape),
    ),
  );
}

/** What is left of attention when scores are there. */
function attentionSums(profile: Profile, spec: AttentionSpec, tile: DealtTile): Kernel {
  const { k, v = { ...k, width: spec.out.width, rowStride: k.rowStride ?? headsOf(k) * k.width, headStride: k.headStride ?? k.width }, out, scale } = spec; // prettier-ignore
  const shape = shapeOf(spec);
  const own = dealtShape(shape, tile.deal);
  const cut = { ...cutOf(profile, own, tile, scale), ...ownColumns(own, shape.width) };
  return kernelOf(
    profile,
    lines(
      `kernel ${named("sums", sharingOf(shape), shape.dtype)} for ${profile.name}`,
      "size B\nsize S\nsize P",
      scoresTensor(shape.heads, pitchOf(spec), "in"),
      tensor("v", v, "P + S", "in"),
      tensor("out", out, "S", "out"),
      dealtText(cut, shape.width),
    ),
  );
}

/** Scratch and parts. */
function textOf(
  profile: Profile,
  shape: AttentionShape,
  tile: Exclude<AttentionCut, DealtTile>,
  scale: number,
): string {
  if (isStored(tile)) return storedText(profile, shape, tile, scale);
  return isSliced(tile) ? slicedText(profile, shape, tile, scale) : keptText(profile, shape, tile, scale);
}

/** Scratch and parts where vector cores take scores a few rows at a time. */
function slicedText(profile: Profile, shape: AttentionShape, tile: SlicedTile, scale: number): string {
  const cut = cutWith(profile, shape, tile, scale, slicedBuffers(profile, shape, tile));
  return lines(slicedScratch(cut), slicedMatrixPart(cut), slicedVectorPart(cut));
}

/** Scratch and parts where the vector cores keep the sums. */
function keptText(profile: Profile, shape: AttentionShape, tile: AttentionTile, scale: number): string {
  const cut = cutOf(profile, shape, tile, scale);
  if (isFused(profile)) return fusedPart(cut);
  const slots = tile.lag + 1;
  return lines(
    `tensor scores: f32[${slots * tile.rows}, ${tile.keys}] shared`,
    `tensor probs: ${shape.dtype}[${slots * tile.rows}, ${tile.keys}] shared`,
    // Chunks of columns lie apart, so that each moves as one run.
    `tensor sums: f32[${slots * cut.chunks}, ${tile.rows}, ${tile.columns}] shared`,
    matrixPart(cut),
    vectorPart(cut),
  );
}

/** Scratch and parts where sums stay in memory. */
function storedText(profile: Profile, shape: AttentionShape, tile: StoredTile, scale: number): string {
  const cut = cutWith(profile, shape, tile, scale, storedBuffers(profile, shape, tile));
  return lines(storedScratch(cut), storedMatrixPart(cut), storedVectorPart(cut));
}

/** Such as `attention_8x64_bf16`: heads and their width; `attention_8of2x64_bf16` where 8 heads share 2 of keys. */
const nameOf = (shape: AttentionShape): string =>
  named(shape.isLatent ? "latentAttention" : "attention", sharingOf(shape), shape.dtype);

const sharingOf = ({ heads, groups, dim, width }: AttentionShape): string =>
  `${groups === heads ? `${heads}` : `${heads}of${groups}`}x${dim}${width === dim ? "" : `x${width}`}`;

function tensor(name: string, view: View, rows: string, role: "in" | "out"): string {
  const heads = headsOf(view);
  const { width, rowStride = heads * width, headStride = width } = view;
  const isDense = rowStride === heads * width && headStride === width;
  const strides = isDense ? "" : `strides [(${rows}) * ${rowStride}, ${rowStride}, ${headStride}, 1] `;
  return `tensor ${name}: ${view.dtype}[B, ${rows}, ${heads}, ${width}] ${strides}${role}`;
}
