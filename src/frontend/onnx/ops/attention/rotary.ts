import { productOf } from "../../../../ir/dim.ts";
import type { Value } from "../../../../ir/graph.ts";
import {
  add,
  dimOf,
  fixedDim,
  flagOf,
  intOf,
  mul,
  rankOf,
  reshape,
  slice,
  sub,
  to,
  transpose,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";

/** Rotate the first `2 * half` of the last axis by angles given as cosines and sines that broadcast over [B, S, heads, half]. */
export function rotate(cx: LoweringContext, x: Value, cos: Value, sin: Value, interleaved: boolean): Value {
  const half = fixedDim(dimOf(cos, -1), "the cosines");
  const last = rankOf(x) - 1;
  const width = fixedDim(dimOf(x, last), "the head size");
  const turned = slice(cx, x, last, 0, 2 * half);
  const lead = x.type.dims.slice(0, -1);
  const pairs = reshape(cx, turned, interleaved ? [...lead, half, 2] : [...lead, 2, half]);
  const axis = interleaved ? last + 1 : last;
  const part = (i: number): Value => reshape(cx, slice(cx, pairs, axis, i, i + 1), [...lead, half]);
  const [a, b] = [part(0), part(1)];
  const real = sub(cx, mul(cx, cos, a), mul(cx, sin, b));
  const imaginary = add(cx, mul(cx, sin, a), mul(cx, cos, b));
  const single = interleaved ? [...lead, half, 1] : [...lead, 1, half];
  const joined = cx.op("concat", [reshape(cx, real, single), reshape(cx, imaginary, single)], { axis });
  const out = reshape(cx, joined, [...lead, 2 * half]);
  return 2 * half === width
    ? out
    : cx.op("concat", [out, slice(cx, x, last, 2 * half, width)], { axis: last });
}

/** One row of the cache for each position, with an axis for heads: [B, S, 1, half]. */
export function rowsAt(cx: LoweringContext, cache: Value, positions: Value | undefined): Value {
  const rows = positions ? cx.op("take", [cache, to(cx, positions, "i64")], { axis: 0 }) : cache;
  const { dims } = rows.type;
  return reshape(cx, rows, [
    ...(dims.length === 2 ? [1, ...dims.slice(0, 1)] : dims.slice(0, 2)),
    1,
    dims.at(-1) ?? 1,
  ]);
}

function rotaryEmbedding(cx: LoweringContext): Value {
  const given = cx.input(0);
  const flat = rankOf(given) === 3;
  const [batch = 1, length = 1] = given.type.dims;
  const heads = intOf(cx, "num_heads", 0);
  const x = flat
    ? reshape(cx, given, [batch, length, heads, fixedDim(dimOf(given, 2), "the last axis") / heads])
    : transpose(cx, given, [0, 2, 1, 3]);
  const [cos, sin] = [1, 2].map((i) => rowsAt(cx, cx.input(i), cx.optional(3))) as [Value, Value];
  const out = rotate(cx, x, cos, sin, flagOf(cx, "interleaved"));
  return flat
    ? reshape(cx, out, [batch, length, productOf(out.type.dims.slice(2))])
    : transpose(cx, out, [0, 2, 1, 3]);
}

export const rotary: LoweringTable = {
  RotaryEmbedding: (cx) => [rotaryEmbedding(cx)],
};
