/** The kernels and exchanges of attention in one layer on one rank. */
import type { AttentionShape, DecoderShape } from "../decoder.ts";
import { cachedNumbers } from "../decoder.ts";
import type { KernelSpec } from "../kernel.ts";
import type { Exchange } from "../links.ts";
import type { Layout } from "../layout.ts";
import { floatBytes, type Precision } from "../precision.ts";
import type { DType } from "../../../tensor/dtype.ts";
import type { StepWork } from "./work.ts";

/** Something that a rank does in a layer. */
export type Task = { readonly kernel: KernelSpec } | { readonly exchange: Exchange };

export const kernel = (spec: KernelSpec): Task => ({ kernel: spec });

/** A product with a linear layer's weights. */
export const linear = (
  name: string,
  m: number,
  n: number,
  k: number,
  precision: Precision,
  count = 1,
): Task =>
  kernel({
    name,
    kind: "matmul",
    m,
    n,
    k,
    count,
    math: precision.math,
    weightBytes: precision.weightBytes,
    converts: precision.converts,
  });

/** A product with weights that stay 16-bit floats. */
export const floatLinear = (name: string, m: number, n: number, k: number, math: DType, count = 1): Task =>
  kernel({ name, kind: "matmul", m, n, k, count, math, weightBytes: floatBytes, converts: false });

export const rowwise = (name: string, bytes: number): Task => kernel({ name, kind: "rowwise", bytes });

export type LayerContext = {
  readonly shape: DecoderShape;
  readonly layout: Layout;
  readonly precision: Precision;
  /** What the device multiplies 16-bit floats as. */
  readonly float: DType;
  readonly work: StepWork;
};

/** Tokens that a rank has for its own in a step. */
export const ownTokens = ({ sequences, tokens }: StepWork): number => sequences * tokens;

/** Attention of one layer, norm before it and residual behind it. */
export function attentionTasks(cx: LayerContext): readonly Task[] {
  const { shape, work } = cx;
  const norm = rowwise("norm", ownTokens(work) * shape.hidden * floatBytes * 3);
  if (shape.attention.kind === "grouped") return [norm, ...grouped(cx, shape.attention)];
  return [
    norm,
    ...(work.phase === "decode" ? latentDecode(cx, shape.attention) : latentPrefill(cx, shape.attention)),
  ];
}

type Latent = Extract<AttentionShape, { kind: "latent" }>;
type Grouped = Extract<AttentionShape, { kind: "grouped" }>;

/** Between the ranks that share attention: `perToken` bytes of each token of the group. */
function among(cx: LayerContext, name: string, perToken: number, joins = true): readonly Task[] {
  const { tp } = cx.layout.mesh;
  if (tp === 1) return [];
  return [{ exchange: { name, ranks: tp, stride: 1, bytes: ownTokens(cx.work) * tp * perToken, joins } }];
}

const down = ({ qRank, kvRank, rope }: Latent): number => qRank + kvRank + rope;

/** Queries from their rank, or from the hidden state where they have none. */
const queries = (cx: LayerContext, it: Latent, rows: number, heads: number): Task =>
  linear("queries", rows, heads * (it.nope + it.rope), it.qRank || cx.shape.hidden, cx.precision);

/**
 * Decoding on the latent cache itself (DeepSeek-V2, 2.1.2): the key and value matrices are multiplied into queries and
 * results. Every rank of a tensor group has all its tokens and some of its heads.
 */
function latentDecode(cx: LayerContext, it: Latent): readonly Task[] {
  const { shape, layout, precision, float, work } = cx;
  const { tp } = layout.mesh;
  const group = ownTokens(work) * tp;
  const heads = it.heads / tp;
  const cached = cachedNumbers(it);
  return [
    ...among(cx, "gather tokens", shape.hidden * floatBytes),
    linear("down", group, down(it), shape.hidden, precision),
    queries(cx, it, group, heads),
    floatLinear("absorb keys", group, it.kvRank, it.nope, float, heads),
    kernel({
      name: "attention",
      kind: "attention",
      math: float,
      shape: {
        sequences: work.sequences * tp,
        queries: work.tokens,
        past: work.attended,
        heads,
        groups: 1,
        dim: cached,
        width: it.kvRank,
        isLatent: true,
      },
      multiplyAdds: group * heads * work.attended * (cached + it.kvRank),
      bytes:
        floatBytes * (work.sequences * tp * work.attended * cached + group * heads * (cached + it.kvRank)),
    }),
    floatLinear("absorb values", group, it.value, it.kvRank, float, heads),
    linear("output", group, shape.hidden, heads * it.value, precision),
    ...among(cx, "scatter sums", shape.hidden * floatBytes),
  ];
}

/**
 * Prefill on keys and values in full. Within a tensor group tokens are shared but for attention itself, which shares
 * heads: latents are gathered before it, results exchanged behind it (CloudMatrix384, 4.3: SP-TP-SP).
 */
function latentPrefill(cx: LayerContext, it: Latent): readonly Task[] {
  const { shape, layout, precision, float, work } = cx;
  const { tp } = layout.mesh;
  const own = ownTokens(work);
  const group = own * tp;
  const heads = it.heads / tp;
  const perHead = it.nope + it.rope + it.value;
  return [
    linear("down", own, down(it), shape.hidden, precision),
    ...among(
      cx,
      "gather latents",
      (it.qRank || shape.hidden) * floatBytes + (it.kvRank + it.rope) * floatBytes,
    ),
    queries(cx, it, group, heads),
    linear("keys and values", group, heads * (it.nope + it.value), it.kvRank, precision),
    kernel({
      name: "attention",
      kind: "attention",
      math: float,
      shape: {
        sequences: work.sequences * tp,
        queries: work.tokens,
        past: 0,
        heads,
        groups: heads,
        dim: it.nope + it.rope,
        width: it.value,
        isLatent: false,
      },
      multiplyAdds: group * heads * work.attended * perHead,
      bytes: floatBytes * group * heads * 2 * perHead,
    }),
    ...among(cx, "exchange heads", (it.heads * it.value * floatBytes) / tp, false),
    linear("output", own, shape.hidden, it.heads * it.value, precision),
  ];
}

/** Attention over grouped keys and values, in both phases. */
function grouped(cx: LayerContext, it: Grouped): readonly Task[] {
  const { shape, layout, precision, float, work } = cx;
  const { tp } = layout.mesh;
  const group = ownTokens(work) * tp;
  const heads = it.heads / tp;
  const kvHeads = Math.max(1, it.kvHeads / tp);
  const width = (heads + 2 * kvHeads) * it.headDim;
  const cache = work.phase === "decode" ? work.sequences * tp * work.attended : group;
  return [
    ...among(cx, "gather tokens", shape.hidden * floatBytes),
    linear("queries, keys, values", group, width, shape.hidden, precision),
    kernel({
      name: "attention",
      kind: "attention",
      math: float,
      shape: {
        sequences: work.sequences * tp,
        queries: work.tokens,
        past: work.phase === "decode" ? work.attended : 0,
        heads,
        groups: kvHeads,
        dim: it.headDim,
        width: it.headDim,
        isLatent: false,
      },
      multiplyAdds: 2 * group * heads * work.attended * it.headDim,
      bytes: floatBytes * (cache * 2 * kvHeads + 2 * group * heads) * it.headDim,
    }),
    linear("output", group, shape.hidden, heads * it.headDim, precision),
    ...among(cx, "scatter sums", shape.hidden * floatBytes),
  ];
}
