import { addDims, subtractDims, type Dim } from "../../../../ir/dim.ts";
import type { Value } from "../../../../ir/graph.ts";
import {
  add,
  compare,
  dimOf,
  extent,
  fixedDim,
  flagOf,
  floatOf,
  intOf,
  iota,
  mul,
  rankOf,
  reshape,
  scalar,
  select,
  slice,
  sub,
  to,
  transpose,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import { causalAttention, joinHeads, shareHeads, softCap, splitHeads } from "../attention/attention.ts";
import { matmul } from "../math/linear.ts";
import { softmax } from "../math/reduce.ts";
import { rotate, rowsAt } from "../attention/rotary.ts";

/** onnxruntime's RotaryEmbedding: positions stand before the caches, and may be one start for all. */
function rotaryEmbedding(cx: LoweringContext): Value {
  const [given, positions, cos, sin] = [cx.input(0), cx.input(1), cx.input(2), cx.input(3)];
  const flat = rankOf(given) === 3;
  const length = dimOf(given, flat ? 1 : 2);
  const rotated = intOf(cx, "rotary_embedding_dim", 0);
  const width =
    rotated > 0 && intOf(cx, "num_heads", 0) > 0 ? undefined : 2 * fixedDim(dimOf(cos, -1), "the cosines");
  const heads = width === undefined ? intOf(cx, "num_heads", 1) : undefined;
  const last = fixedDim(dimOf(given, -1), "the last axis");
  const count = flat ? (heads ?? last / (width ?? last)) : 1;
  const x = flat
    ? reshape(cx, given, [dimOf(given, 0), length, count, last / count])
    : transpose(cx, given, [0, 2, 1, 3]);
  const at =
    rankOf(positions) === 1
      ? add(cx, reshape(cx, to(cx, iota(cx, [length]), "i64"), [1, length]), reshape(cx, positions, [1, 1]))
      : positions;
  const out = rotate(cx, x, rowsAt(cx, cos, at), rowsAt(cx, sin, at), flagOf(cx, "interleaved"));
  return flat ? reshape(cx, out, given.type.dims) : transpose(cx, out, [0, 2, 1, 3]);
}

/** Scores, capped and masked, and the values weighed by their softmax; [B, heads, S, d]. */
function attend(
  cx: LoweringContext,
  q: Value,
  keys: Value,
  values: Value,
  options: {
    readonly scale: number;
    readonly softcap: number;
    readonly bias?: Value | undefined;
    readonly seen?: Value | undefined;
  },
): Value {
  const [k, v] = [shareHeads(cx, keys, dimOf(q, 1)), shareHeads(cx, values, dimOf(q, 1))];
  const products = mul(cx, matmul(cx, q, transpose(cx, k, [0, 1, 3, 2])), options.scale);
  const capped = softCap(cx, products, options.softcap);
  const biased = options.bias ? add(cx, capped, options.bias) : capped;
  const scores = options.seen
    ? select(cx, options.seen, biased, scalar(cx, biased.type.dtype, -Infinity))
    : biased;
  return matmul(cx, softmax(cx, scores), v);
}

/** key - query for each pair, queries counted from `past`: [S, T]. */
function distances(cx: LoweringContext, queries: Dim, keys: Dim, past: Dim): Value {
  const query = add(cx, to(cx, iota(cx, [queries, 1], 0), "i64"), extent(cx, [past]));
  return sub(cx, to(cx, iota(cx, [1, keys], 1), "i64"), query);
}

const grown = (cx: LoweringContext, past: Value | undefined, x: Value): Value =>
  past ? cx.op("concat", [past, x], { axis: 2 }) : x;

/** The three of a packed [B, S, (heads + 2 groups) * d], or as they come. */
function unpacked(cx: LoweringContext, heads: number, groups: number): readonly [Value, Value, Value] {
  const q = cx.input(0);
  const [k, v] = [cx.optional(1), cx.optional(2)];
  if (k && v) return [splitHeads(cx, q, heads), splitHeads(cx, k, groups), splitHeads(cx, v, groups)];
  const each = fixedDim(dimOf(q, 2), "the packed width") / (heads + 2 * groups);
  const part = (from: number, n: number): Value =>
    splitHeads(cx, slice(cx, q, 2, from * each, (from + n) * each), n);
  return [part(0, heads), part(heads, groups), part(heads + groups, groups)];
}

/** GroupQueryAttention: rotary positions, a cache that grows, a causal window of the last tokens. */
function groupQueryAttention(cx: LoweringContext): readonly Value[] {
  const [heads, groups] = [intOf(cx, "num_heads", 1), intOf(cx, "kv_num_heads", 1)];
  if (cx.optional(11)) return unsupported("it has a head sink");
  if (flagOf(cx, "smooth_softmax")) return unsupported("its softmax is smooth");
  const [q0, k0, v] = unpacked(cx, heads, groups);
  const [pastKey, pastValue] = [cx.optional(3), cx.optional(4)];
  const past: Dim = pastKey ? dimOf(pastKey, 2) : 0;
  const length = dimOf(q0, 2);
  const rotated = (x: Value): Value => {
    if (!flagOf(cx, "do_rotary")) return x;
    const positions =
      cx.optional(9) ??
      add(cx, reshape(cx, to(cx, iota(cx, [length]), "i64"), [1, length]), extent(cx, [past]));
    const [cos, sin] = [rowsAt(cx, cx.input(7), positions), rowsAt(cx, cx.input(8), positions)];
    const turned = rotate(cx, transpose(cx, x, [0, 2, 1, 3]), cos, sin, flagOf(cx, "rotary_interleaved"));
    return transpose(cx, turned, [0, 2, 1, 3]);
  };
  const keys = grown(cx, pastKey, rotated(k0));
  const values = grown(cx, pastValue, v);
  const width = fixedDim(dimOf(q0, 3), "the head size");
  const scale = floatOf(cx, "scale", 0) || 1 / Math.sqrt(width);
  const plain = !["local_window_size", "softcap"].some((name) => floatOf(cx, name, intOf(cx, name, 0)) > 0);
  if (plain && dimOf(q0, 0) === 1 && !cx.optional(10))
    return [joinHeads(cx, causalAttention(cx, rotated(q0), keys, values, scale)), keys, values];
  const apart = distances(cx, length, addDims(past, length), past);
  const window = intOf(cx, "local_window_size", -1);
  const before = compare(cx, apart, "lessOrEqual", 0);
  const seen = window > 0 ? mul(cx, before, compare(cx, apart, "greater", -window)) : before;
  const out = attend(cx, rotated(q0), keys, values, {
    scale,
    softcap: floatOf(cx, "softcap", 0),
    bias: cx.optional(10),
    seen,
  });
  return [joinHeads(cx, out), keys, values];
}

/** Which keys a padding mask lets be seen: lengths [B], or a mask [B, T] or [B, S, T]. */
function notPadding(cx: LoweringContext, mask: Value, keys: Dim): Value {
  if (rankOf(mask) === 1) {
    const key = to(cx, iota(cx, [1, 1, 1, keys], 3), mask.type.dtype);
    return compare(cx, key, "less", reshape(cx, mask, [dimOf(mask, 0), 1, 1, 1]));
  }
  const [batch = 1, ...rest] = mask.type.dims;
  const wide = reshape(cx, mask, rest.length === 1 ? [batch, 1, 1, ...rest] : [batch, 1, ...rest]);
  return compare(cx, wide, "greater", 0);
}

/** MultiHeadAttention of separate queries, keys and values. */
function multiHeadAttention(cx: LoweringContext): readonly Value[] {
  const heads = intOf(cx, "num_heads", 1);
  const [key, value] = [cx.optional(1), cx.optional(2)];
  if (!key || !value) return unsupported("its queries, keys and values are packed");
  const widths = [cx.input(0), key, value].map((x) =>
    rankOf(x) === 4 ? 0 : fixedDim(dimOf(x, -1), "the width"),
  );
  let begin = 0;
  const [q, k, v] = [cx.input(0), key, value].map((x, i) => {
    const width = widths[i] ?? 0;
    const bias = cx.optional(3);
    begin += width;
    if (rankOf(x) === 4) return x;
    return splitHeads(cx, bias ? add(cx, x, slice(cx, bias, 0, begin - width, begin)) : x, heads);
  }) as [Value, Value, Value];
  const [keys, values] = [grown(cx, cx.optional(6), k), grown(cx, cx.optional(7), v)];
  const total = dimOf(keys, 2);
  const apart = distances(cx, dimOf(q, 2), total, subtractDims(total, dimOf(q, 2)));
  const causal = flagOf(cx, "unidirectional") ? compare(cx, apart, "lessOrEqual", 0) : undefined;
  const mask = cx.optional(4);
  const open = mask && notPadding(cx, mask, total);
  const out = attend(cx, q, keys, values, {
    scale: floatOf(cx, "scale", 0) || 1 / Math.sqrt(fixedDim(dimOf(q, 3), "the head size")),
    softcap: 0,
    bias: cx.optional(5),
    seen: causal && open ? mul(cx, causal, open) : (causal ?? open),
  });
  return [joinHeads(cx, out), keys, values];
}

export const contribAttentions: LoweringTable = {
  RotaryEmbedding: (cx) => [rotaryEmbedding(cx)],
  GroupQueryAttention: groupQueryAttention,
  MultiHeadAttention: multiHeadAttention,
};
