import { addDims, floorDivideDims, productOf, subtractDims, type Dim } from "../../../../ir/dim.ts";
import type { Value } from "../../../../ir/graph.ts";
import {
  add,
  broadcast,
  dimOf,
  extent,
  fixedDim,
  intOf,
  intsOf,
  iota,
  mul,
  rankOf,
  reshape,
  scalar,
  slice,
  textOf,
  to,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import { swish } from "./activation.ts";
import { matmul } from "./linear.ts";

/** x [N, C, ...] with zeros before and after each spatial axis. */
function padded(cx: LoweringContext, x: Value, pads: readonly number[]): Value {
  const spatial = rankOf(x) - 2;
  return Array.from({ length: spatial }).reduce<Value>((value, _, i) => {
    const axis = i + 2;
    const block = (size: number): readonly Value[] =>
      size === 0 ? [] : [broadcast(cx, scalar(cx, x.type.dtype, 0), value.type.dims.with(axis, size))];
    const parts = [...block(pads[i] ?? 0), value, ...block(pads[i + spatial] ?? 0)];
    return parts.length === 1 ? value : cx.op("concat", parts, { axis });
  }, x);
}

/** All places of a kernel, last axis fastest. */
const places = (kernel: readonly number[]): readonly (readonly number[])[] =>
  kernel.reduce<readonly (readonly number[])[]>(
    (all, size) => all.flatMap((place) => Array.from({ length: size }, (_, i) => [...place, i])),
    [[]],
  );

/** Convolution as a sum over the places of the kernel: at each the input, moved there, times one matrix a group. */
function convolve(
  cx: LoweringContext,
  x: Value,
  w: Value,
  {
    groups,
    strides,
    dilations,
  }: { readonly groups: number; readonly strides: readonly number[]; readonly dilations: readonly number[] },
): Value {
  const kernel = w.type.dims.slice(2).map((d) => fixedDim(d, "the kernel"));
  const [batch, channels] = [dimOf(x, 0), fixedDim(dimOf(x, 1), "the channels")];
  const filters = fixedDim(dimOf(w, 0), "the filters");
  const outDims = kernel.map((k, i): Dim => {
    const reach = (k - 1) * (dilations[i] ?? 1) + 1;
    return addDims(floorDivideDims(subtractDims(dimOf(x, i + 2), reach), strides[i] ?? 1), 1);
  });
  const size = productOf(outDims);
  let sum: Value | undefined;
  for (const place of places(kernel)) {
    const window = place.reduce((value, at, i) => {
      const [begin, step] = [at * (dilations[i] ?? 1), strides[i] ?? 1];
      const count = outDims[i] ?? 1;
      if (step === 1) return slice(cx, value, i + 2, begin, addDims(begin, count));
      const indices = add(cx, mul(cx, to(cx, iota(cx, [count]), "i64"), step), extent(cx, [begin]));
      return cx.op("take", [value, indices], { axis: i + 2 });
    }, x);
    const columns = reshape(cx, window, [batch, groups, channels / groups, size]);
    const tap = place.reduce((value, at, i) => slice(cx, value, i + 2, at, at + 1), w);
    const matrix = reshape(cx, tap, [1, groups, filters / groups, channels / groups]);
    const part = matmul(cx, matrix, columns);
    sum = sum ? add(cx, sum, part) : part;
  }
  return sum ? reshape(cx, sum, [batch, filters, ...outDims]) : unsupported("its kernel is empty");
}

const withBias = (cx: LoweringContext, x: Value, bias: Value | undefined): Value =>
  bias
    ? add(cx, x, reshape(cx, to(cx, bias, "f32"), [dimOf(bias, 0), ...x.type.dims.slice(2).map(() => 1)]))
    : x;

function conv(cx: LoweringContext): Value {
  const { dtype } = cx.input(0).type;
  const [x, w] = [to(cx, cx.input(0), "f32"), to(cx, cx.input(1), "f32")];
  const ones = x.type.dims.slice(2).map(() => 1);
  const automatic = textOf(cx, "auto_pad", "NOTSET");
  if (automatic !== "NOTSET" && automatic !== "VALID") return unsupported(`its auto_pad is ${automatic}`);
  const pads = automatic === "VALID" ? [] : (intsOf(cx, "pads") ?? []);
  const out = convolve(cx, padded(cx, x, pads), w, {
    groups: intOf(cx, "group", 1),
    strides: intsOf(cx, "strides") ?? ones,
    dilations: intsOf(cx, "dilations") ?? ones,
  });
  return to(cx, withBias(cx, out, cx.optional(2)), dtype);
}

/** A depthwise convolution over time that sees the past: what came before this call is its state. */
function causalConv(cx: LoweringContext): readonly Value[] {
  const [x, w] = [cx.input(0), cx.input(1)];
  const [batch, channels] = [dimOf(x, 0), fixedDim(dimOf(x, 1), "the channels")];
  const reach = fixedDim(dimOf(w, 2), "the kernel") - 1;
  const past = cx.optional(3) ?? broadcast(cx, scalar(cx, x.type.dtype, 0), [batch, channels, reach]);
  const seen = reach === 0 ? x : cx.op("concat", [past, x], { axis: 2 });
  const wide = convolve(cx, to(cx, seen, "f32"), to(cx, w, "f32"), {
    groups: channels,
    strides: [1],
    dilations: [1],
  });
  const out = to(cx, withBias(cx, wide, cx.optional(2)), x.type.dtype);
  const length = dimOf(seen, 2);
  const state = cx.op("slice", [seen], { axis: 2, begin: subtractDims(length, reach), end: length });
  const name = textOf(cx, "activation", "none");
  const active = name === "none" ? out : to(cx, swish(cx, to(cx, out, "f32")), x.type.dtype);
  return [active, state];
}

export const convolution: LoweringTable = {
  Conv: (cx) => [conv(cx)],
  CausalConvWithState: causalConv,
};
