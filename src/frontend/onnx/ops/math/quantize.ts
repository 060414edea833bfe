import type { Dim } from "../../../../ir/dim.ts";
import { fail } from "../../../../support/diagnostics.ts";
import type { Value } from "../../../../ir/graph.ts";
import { dtypes, type DType } from "../../../../tensor/dtype.ts";
import {
  add,
  axisOf,
  broadcast,
  dimOf,
  div,
  fixedDim,
  intOf,
  max,
  min,
  mul,
  rankOf,
  reshape,
  scalar,
  select,
  compare,
  slice,
  sub,
  to,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import { dtypeOf } from "../../reading/tensor.ts";

/** The least and the largest number of an integer dtype. */
function rangeOf(dtype: DType): readonly [number, number] {
  const { bits } = dtypes[dtype];
  return dtype.startsWith("u") ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

/** Scales or zero points in a shape that broadcasts over x: one for all, one a slice of the axis, or one a block of it. */
function alongAxis(cx: LoweringContext, x: Value, s: Value, axis: number, block: number): Value {
  if (rankOf(s) === 0 || (rankOf(s) === 1 && rankOf(x) !== 1 && dimOf(s, 0) === 1 && block === 0)) return s;
  if (rankOf(s) === 1 && block === 0)
    return reshape(
      cx,
      s,
      x.type.dims.map((_, i) => (i === axis ? dimOf(s, 0) : 1)),
    );
  if (block === 0) return s;
  const dims = s.type.dims;
  const wide: readonly Dim[] = dims.toSpliced(axis + 1, 0, 1);
  const spread = broadcast(cx, reshape(cx, s, wide), wide.with(axis + 1, block));
  const repeated = reshape(cx, spread, dims.with(axis, fixedDim(dims[axis], "the scale") * block));
  return slice(cx, repeated, axis, 0, dimOf(x, axis));
}

/** round(x / scale) + zero, held inside the range of the zero point's dtype; floats are rounded by the conversion. */
export function quantizeWith(
  cx: LoweringContext,
  x: Value,
  scale: Value,
  zero: Value,
  dtype = zero.type.dtype,
): Value {
  const quotient = div(cx, x, scale);
  if (dtypes[dtype].kind === "float") return to(cx, quotient, dtype);
  const shifted = add(cx, cx.op("round", [quotient], {}), to(cx, zero, x.type.dtype));
  const [low, high] = rangeOf(dtype);
  return to(cx, max(cx, min(cx, shifted, high), low), dtype);
}

function quantizeLinear(cx: LoweringContext): Value {
  const [x, scale, zero] = [cx.input(0), cx.input(1), cx.optional(2)];
  const axis = axisOf(intOf(cx, "axis", 1), rankOf(x));
  const wanted = intOf(cx, "output_dtype", 0);
  const dtype = zero?.type.dtype ?? (wanted === 0 ? "u8" : dtypeOf(wanted, `node ${cx.node.name}`));
  if (dtype === "string") return unsupported("it makes texts");
  const block = intOf(cx, "block_size", 0);
  const place = (s: Value): Value => alongAxis(cx, x, s, axis, block);
  const none = scalar(cx, "f32", 0);
  return quantizeWith(cx, to(cx, x, "f32"), to(cx, place(scale), "f32"), zero ? place(zero) : none, dtype);
}

/** Whether any code of the slices that scale `i` is for is not zero. */
function isUsed(cx: LoweringContext, x: Value, axis: number, scales: number, i: number): boolean {
  const codes = cx.stored(x);
  if (!codes) return false;
  const dims = x.type.dims.map(Number);
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const alone = scales === dims[axis];
  return codes.some((code, at) => code !== 0 && (!alone || Math.floor(at / inner) % scales === i));
}

/** Scales must be numbers to divide by, as many as the axis is long, and the zero point of the codes' dtype. */
function checkQuantization(cx: LoweringContext, x: Value, axis: number, block: number, codes: DType): void {
  const [scale, zero, { name }] = [cx.input(1), cx.optional(2), cx.node];
  const size = dimOf(x, axis);
  if (zero && zero.type.dtype !== codes)
    fail("onnx/dtype-mismatch", undefined, name, `zero_point is ${zero.type.dtype}, x is ${codes}`);
  if (rankOf(scale) === 1 && block === 0 && dimOf(scale, 0) !== size && dimOf(scale, 0) !== 1)
    fail(
      "onnx/shape-mismatch",
      undefined,
      name,
      `${dimOf(scale, 0)} scales for axis ${axis} of size ${size}`,
    );
  const values = cx.stored(scale) ?? [];
  const bad = values.findIndex(
    (s, i) => !Number.isFinite(s) || (s === 0 && isUsed(cx, x, axis, values.length, i)),
  );
  if (bad >= 0)
    fail("onnx/bad-scale", undefined, name, `scale[${bad}]`, String(values[bad]).replace("inity", ""));
}

/** (x - zero) * scale in the scale's dtype. */
function dequantizeLinear(cx: LoweringContext): Value {
  const [x, scale, zero] = [cx.input(0), cx.input(1), cx.optional(2)];
  const axis = axisOf(intOf(cx, "axis", 1), rankOf(x));
  const block = intOf(cx, "block_size", 0);
  checkQuantization(cx, x, axis, block, x.type.dtype);
  const place = (s: Value): Value => to(cx, alongAxis(cx, x, s, axis, block), "f32");
  const codes = to(cx, x, "f32");
  const wanted = intOf(cx, "output_dtype", 0);
  const dtype = wanted === 0 ? scale.type.dtype : dtypeOf(wanted, `node ${cx.node.name}`);
  if (dtype === "string") return unsupported("it makes texts");
  return to(cx, mul(cx, zero ? sub(cx, codes, place(zero)) : codes, place(scale)), dtype);
}

/** u8 codes whose range covers all of x and zero; the codes, the scale and the zero point. */
function dynamicQuantize(cx: LoweringContext): readonly Value[] {
  const x = cx.input(0);
  const all = (v: Value): Value =>
    reshape(
      cx,
      x.type.dims.reduce((m, _, axis) => cx.op("reduceMax", [m], { axis }), v),
      [],
    );
  const high = max(cx, all(x), 0);
  const low = min(cx, cx.op("neg", [all(cx.op("neg", [x], {}))], {}), 0);
  const range = sub(cx, high, low);
  const scale = div(cx, select(cx, compare(cx, range, "greater", 0), range, 255), 255);
  const zero = to(
    cx,
    cx.op("round", [max(cx, min(cx, div(cx, cx.op("neg", [low], {}), scale), 255), 0)], {}),
    "u8",
  );
  return [quantizeWith(cx, x, scale, zero), scale, zero];
}

export const quantize: LoweringTable = {
  QuantizeLinear: (cx) => [quantizeLinear(cx)],
  DequantizeLinear: (cx) => [dequantizeLinear(cx)],
  DynamicQuantizeLinear: dynamicQuantize,
};
