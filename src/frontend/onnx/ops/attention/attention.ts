import { subtractDims, productOf, type Dim } from "../../../../ir/dim.ts";
import type { Value } from "../../../../ir/graph.ts";
import type { DType } from "../../../../tensor/dtype.ts";
import {
  add,
  broadcast,
  compare,
  dimOf,
  div,
  fixedDim,
  flagOf,
  floatOf,
  graphOf,
  intOf,
  iota,
  isValue,
  mul,
  rankOf,
  reshape,
  scalar,
  select,
  sub,
  to,
  transpose,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import { dtypeOf } from "../../reading/tensor.ts";
import { matmul } from "../math/linear.ts";
import { softmax } from "../math/reduce.ts";

/** [B, S, heads * d] as [B, heads, S, d]. */
export function splitHeads(cx: LoweringContext, x: Value, heads: number): Value {
  const [batch = 1, length = 1, width] = x.type.dims;
  const each = fixedDim(width, "the last axis") / heads;
  return transpose(cx, reshape(cx, x, [batch, length, heads, each]), [0, 2, 1, 3]);
}

/** [B, heads, S, d] as [B, S, heads * d]. */
export function joinHeads(cx: LoweringContext, x: Value): Value {
  const [batch = 1, heads = 1, length = 1, each = 1] = x.type.dims;
  return reshape(cx, transpose(cx, x, [0, 2, 1, 3]), [batch, length, productOf([heads, each])]);
}

/** Each head of keys or values for the `heads` queries that share it. */
export function shareHeads(cx: LoweringContext, x: Value, heads: Dim): Value {
  const [batch = 1, own = 1, length = 1, each = 1] = x.type.dims;
  if (own === heads) return x;
  const times = fixedDim(heads, "the heads") / fixedDim(own, "the heads");
  const wide = broadcast(cx, reshape(cx, x, [batch, own, 1, length, each]), [
    batch,
    own,
    times,
    length,
    each,
  ]);
  return reshape(cx, wide, [batch, heads, length, each]);
}

const lowest = -Infinity;

/** softmax that gives zeros where every score is -inf. */
function softmaxOf(cx: LoweringContext, x: Value): Value {
  const none = compare(cx, cx.op("reduceMax", [x], { axis: rankOf(x) - 1 }), "equal", lowest);
  return select(cx, none, 0, softmax(cx, select(cx, none, 0, x)));
}

/** What the mask of one query and key pair is made of, all of it to be added to the scores. */
type Mask = { readonly bias: Value | undefined };

/** `position + query - key` for each pair: [.., Sq, Sk], where queries begin at `position`. */
function distances(cx: LoweringContext, queries: Dim, keys: Dim, position: Value): Value {
  const query = to(cx, iota(cx, [queries, 1], 0), "i64");
  const key = to(cx, iota(cx, [1, keys], 1), "i64");
  return sub(cx, add(cx, query, position), key);
}

const asBias = (cx: LoweringContext, allowed: Value, dtype: DType): Value =>
  select(cx, allowed, scalar(cx, dtype, 0), scalar(cx, dtype, lowest));

const sum = (cx: LoweringContext, a: Value | undefined, b: Value): Value => (a ? add(cx, a, b) : b);

/** The given mask continued to all keys; what it does not speak of is not seen. */
function givenMask(cx: LoweringContext, mask: Value, keys: Dim, dtype: DType): Value {
  const bias = mask.type.dtype === "bool" ? asBias(cx, mask, dtype) : mask;
  const short = subtractDims(keys, dimOf(bias, -1));
  if (short === 0 || dimOf(bias, -1) === 1) return bias;
  const axis = rankOf(bias) - 1;
  const fill = broadcast(cx, scalar(cx, dtype, lowest), bias.type.dims.with(-1, short));
  return cx.op("concat", [bias, fill], { axis });
}

/** Everything that keeps queries from keys: mask, causality, window, padding. */
function maskOf(cx: LoweringContext, queries: Dim, keys: Dim, past: Dim, dtype: DType): Mask {
  const mask = cx.optional(3);
  const padding = cx.optional(6);
  let bias = mask && givenMask(cx, mask, keys, dtype);
  const offset = padding
    ? sub(
        cx,
        reshape(cx, to(cx, padding, "i64"), [dimOf(padding, 0), 1, 1, 1]),
        cx.op("extent", [], { dtype: "i64", dims: [], values: [queries] }),
      )
    : cx.op("extent", [], { dtype: "i64", dims: [], values: [past] });
  const apart = (): Value => distances(cx, queries, keys, offset);
  if (flagOf(cx, "is_causal"))
    bias = sum(cx, bias, asBias(cx, compare(cx, apart(), "greaterOrEqual", 0), dtype));
  const [left, right] = [intOf(cx, "left_window_size", -1), intOf(cx, "right_window_size", -1)];
  if (left >= 0) bias = sum(cx, bias, asBias(cx, compare(cx, apart(), "lessOrEqual", left), dtype));
  if (right >= 0) bias = sum(cx, bias, asBias(cx, compare(cx, apart(), "greaterOrEqual", -right), dtype));
  if (padding) {
    const length = reshape(cx, to(cx, padding, "i64"), [dimOf(padding, 0), 1, 1, 1]);
    const key = to(cx, iota(cx, [1, 1, 1, keys], 3), "i64");
    bias = sum(cx, bias, asBias(cx, compare(cx, key, "less", length), dtype));
  }
  return { bias };
}

export const softCap = (cx: LoweringContext, x: Value, cap: number): Value =>
  cap > 0 ? mul(cx, cx.op("tanh", [div(cx, x, cap)], {}), cap) : x;

/** One sequence's causal attention as the operator that the IR has for it; all operands and the result [1, heads, S, d]. */
export function causalAttention(
  cx: LoweringContext,
  q: Value,
  keys: Value,
  values: Value,
  scale: number,
): Value {
  const tokens = (x: Value): Value => {
    const [, heads = 1, length = 1, width = 1] = x.type.dims;
    return transpose(cx, to(cx, reshape(cx, x, [heads, length, width]), "f32"), [1, 0, 2]);
  };
  const out = cx.op("attention", [tokens(q), tokens(keys), tokens(values)], { scale });
  const back = transpose(cx, out, [1, 0, 2]);
  return to(cx, reshape(cx, back, [1, ...back.type.dims]), q.type.dtype);
}

/** Whether a node says no more than causal attention of one sequence over its past and itself. */
function isPlainCausal(cx: LoweringContext, q: Value, keys: Value): boolean {
  const extras = [3, 6].some((i) => cx.optional(i)) || (cx.node.outputs[3] ?? "") !== "";
  const windows = ["left_window_size", "right_window_size"].some((name) => intOf(cx, name, -1) >= 0);
  const aligned = cx.optional(4) !== undefined || dimOf(q, 2) === dimOf(keys, 2);
  return (
    flagOf(cx, "is_causal") &&
    aligned &&
    !extras &&
    !windows &&
    floatOf(cx, "softcap", 0) === 0 &&
    dimOf(q, 0) === 1 &&
    q.type.dtype === "f32"
  );
}

/** Attention-23 to 25: scores of scaled queries and keys, capped, masked, and the values weighed by their softmax. */
function attention(cx: LoweringContext): readonly Value[] {
  const flat = rankOf(cx.input(0)) === 3;
  const heads = (i: number, name: string): Value =>
    flat ? splitHeads(cx, cx.input(i), intOf(cx, name, 1)) : cx.input(i);
  const q = heads(0, "q_num_heads");
  const { dtype } = q.type;
  const grown = (x: Value, past: Value | undefined): Value =>
    past ? cx.op("concat", [past, x], { axis: 2 }) : x;
  const [pastKey, pastValue] = [cx.optional(4), cx.optional(5)];
  const presentKey = grown(heads(1, "kv_num_heads"), pastKey);
  const presentValue = grown(heads(2, "kv_num_heads"), pastValue);
  const width = fixedDim(dimOf(q, 3), "the head size");
  if (isPlainCausal(cx, q, presentKey)) {
    const scale = floatOf(cx, "scale", 0) || 1 / Math.sqrt(width);
    const out = causalAttention(cx, q, presentKey, presentValue, scale);
    return [flat ? joinHeads(cx, out) : out, presentKey, presentValue];
  }
  const [k, v] = [shareHeads(cx, presentKey, dimOf(q, 1)), shareHeads(cx, presentValue, dimOf(q, 1))];
  const root = Math.sqrt(floatOf(cx, "scale", 0) || 1 / Math.sqrt(width));
  const raw = matmul(cx, mul(cx, q, root), transpose(cx, mul(cx, k, root), [0, 1, 3, 2]));
  const capped = softCap(cx, raw, floatOf(cx, "softcap", 0));
  const { bias } = maskOf(cx, dimOf(q, 2), dimOf(k, 2), pastKey ? dimOf(pastKey, 2) : 0, dtype);
  const scores = bias ? add(cx, capped, bias) : capped;
  const precision = intOf(cx, "softmax_precision", 0);
  const wanted = precision === 0 ? dtype : dtypeOf(precision, `node ${cx.node.name}`);
  if (wanted === "string") return unsupported("its softmax_precision is text");
  const shares = to(cx, withoutFullyMasked(cx, softmaxOf(cx, to(cx, scores, wanted)), bias), dtype);
  const out = matmul(cx, shares, v);
  const shown = [raw, capped, scores, shares][intOf(cx, "qk_matmul_output_mode", 0)] ?? raw;
  return [flat ? joinHeads(cx, out) : out, presentKey, presentValue, shown];
}

/** A query that sees no key answers with zeros, whatever its scores are. */
function withoutFullyMasked(cx: LoweringContext, shares: Value, bias: Value | undefined): Value {
  if (!bias) return shares;
  const best = cx.op("reduceMax", [bias], { axis: rankOf(bias) - 1 });
  return select(cx, compare(cx, best, "equal", lowest), 0, shares);
}

/** Attention whose scores and shares pass through graphs of the model. */
function flexAttention(cx: LoweringContext): Value {
  const [q, k0, v0] = [cx.input(0), cx.input(1), cx.input(2)];
  const { dtype } = q.type;
  const [k, v] = [shareHeads(cx, k0, dimOf(q, 1)), shareHeads(cx, v0, dimOf(q, 1))];
  const precision = intOf(cx, "softmax_precision", 0);
  const wanted =
    precision === 0 ? (dtype === "f64" ? "f64" : "f32") : dtypeOf(precision, `node ${cx.node.name}`);
  if (wanted === "string") return unsupported("its softmax_precision is text");
  const scale = floatOf(cx, "scale", 0) || 1 / Math.sqrt(fixedDim(dimOf(q, 3), "the head size"));
  const modified = (x: Value, name: string): Value => {
    const graph = graphOf(cx, name);
    if (!graph) return x;
    const [out] = cx.body(graph, [x]);
    return isValue(out) ? out : unsupported(`its ${name} gives no tensor`);
  };
  const products = matmul(cx, q, transpose(cx, k, [0, 1, 3, 2]));
  const scores = modified(to(cx, mul(cx, products, scale), wanted), "score_mod");
  const shares = modified(softmaxOf(cx, scores), "prob_mod");
  return matmul(cx, to(cx, shares, dtype), v);
}

export const attentions: LoweringTable = {
  Attention: attention,
};
export const previewAttentions: LoweringTable = {
  FlexAttention: (cx) => [flexAttention(cx)],
};
