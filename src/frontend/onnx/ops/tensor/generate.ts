import { ceilDivideDims, maxDims, productOf, subtractDims, type Dim } from "../../../../ir/dim.ts";
import { fail } from "../../../../support/diagnostics.ts";
import type { Value } from "../../../../ir/graph.ts";
import { sizeOf } from "../../../../ir/types.ts";
import { foldLimit } from "../../lowering/fold.ts";
import {
  add,
  axisOf,
  broadcast,
  compare,
  extent,
  intOf,
  iota,
  mul,
  needDims,
  needKnown,
  rankOf,
  reshape,
  scalar,
  select,
  slice,
  sub,
  to,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import { dtypeOf, elementsOf } from "../../reading/tensor.ts";

/** More than this no tensor holds. */
const mostElements = 2 ** 32;

/** A shape filled with one number. */
function filled(cx: LoweringContext): Value {
  const dims = needDims(cx, 0, "shape");
  const given = cx.node.attributes.get("value");
  const tensor = given?.kind === "tensor" ? given.tensor : undefined;
  const dtype = tensor?.dtype ?? "f32";
  if (dtype === "string") return unsupported("it makes texts");
  const [value = 0] = tensor ? elementsOf(tensor) : [0];
  const count = productOf(dims);
  if (typeof count === "number" && count > mostElements)
    fail("onnx/fold-limit", undefined, cx.node.name, count);
  const known = dims.every((d) => typeof d === "number") && sizeOf(dims) <= foldLimit;
  if (!known) return broadcast(cx, scalar(cx, dtype, value), dims);
  const values = Array<number>(sizeOf(dims)).fill(value);
  return cx.op("constant", [], { dtype, dims: dims.map(Number), values });
}

/** start, start + delta, … below the limit. */
function range(cx: LoweringContext): Value {
  const [start = 0, limit = 0, delta = 1] = [0, 1, 2].map((i) => needDims(cx, i, "range")[0] ?? 0);
  const { dtype } = cx.input(0).type;
  if (typeof delta !== "number") return unsupported("its step is not known before it runs");
  const span = delta > 0 ? subtractDims(limit, start) : subtractDims(start, limit);
  const size = maxDims(0, ceilDivideDims(span, Math.abs(delta)), cx.positive);
  const steps = to(cx, iota(cx, [size]), dtype);
  const scaled = delta === 1 ? steps : mul(cx, steps, delta);
  if (start === 0) return scaled;
  return add(cx, scaled, typeof start === "number" ? start : to(cx, extent(cx, [start]), dtype));
}

/** Both index grids of the last two axes, column minus row not above, or not below, the diagonal `k`. */
function trilu(cx: LoweringContext): Value {
  const x = cx.input(0);
  const k = cx.optional(1);
  const dims: readonly Dim[] = x.type.dims.slice(-2);
  const distance = to(cx, sub(cx, iota(cx, dims, 1), iota(cx, dims, 0)), "i64");
  const how = intOf(cx, "upper", 1) === 1 ? "greaterOrEqual" : "lessOrEqual";
  const diagonal = k && rankOf(k) > 0 ? reshape(cx, k, []) : k;
  return select(cx, compare(cx, distance, how, diagonal ?? 0), x, 0);
}

function eyeLike(cx: LoweringContext): Value {
  const { dims, dtype } = cx.input(0).type;
  const wanted = intOf(cx, "dtype", 0);
  const out = wanted === 0 ? dtype : dtypeOf(wanted, `node ${cx.node.name}`);
  const column = iota(cx, dims, 1);
  const diagonal = compare(cx, column, "equal", add(cx, iota(cx, dims, 0), intOf(cx, "k", 0)));
  return out === "string" ? unsupported("it makes texts") : to(cx, diagonal, out);
}

/** A new axis with one value at each index and another everywhere else; indices beyond the depth have none. */
function oneHot(cx: LoweringContext): Value {
  const indices = to(cx, cx.input(0), "i64");
  const depth = Math.trunc(needKnown(cx, 1, "depth")[0] ?? 0);
  const values = cx.input(2);
  const axis = axisOf(intOf(cx, "axis", -1), rankOf(indices) + 1);
  const at = reshape(cx, indices, indices.type.dims.toSpliced(axis, 0, 1));
  const fromFront = select(cx, compare(cx, at, "less", 0), add(cx, at, depth), at);
  const places = iota(
    cx,
    at.type.dims.map((_, i) => (i === axis ? depth : 1)),
    axis,
  );
  const hit = compare(cx, fromFront, "equal", to(cx, places, "i64"));
  const pick = (i: number): Value => reshape(cx, slice(cx, values, 0, i, i + 1), []);
  return select(cx, hit, pick(1), pick(0));
}

/** As inference has it: everything stays. */
function dropout(cx: LoweringContext): readonly Value[] {
  const x = cx.input(0);
  const training = cx.optional(2) ? (needKnown(cx, 2, "training mode")[0] ?? 0) : 0;
  const ratio = cx.known(cx.optional(1))?.[0] ?? 0.5;
  if (training !== 0 && ratio !== 0) return unsupported("it drops at random");
  return [x, broadcast(cx, scalar(cx, "bool", 1), x.type.dims)];
}

export const generate: LoweringTable = {
  ConstantOfShape: (cx) => [filled(cx)],
  Range: (cx) => [range(cx)],
  Trilu: (cx) => [trilu(cx)],
  EyeLike: (cx) => [eyeLike(cx)],
  OneHot: (cx) => [oneHot(cx)],
  Dropout: dropout,
};
