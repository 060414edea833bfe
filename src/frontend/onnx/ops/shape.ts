import type { Value } from "../../../ir/graph.ts";
import type { Dim } from "../../../ir/dim.ts";
import { broadcastDims, sizeOf } from "../../../ir/types.ts";
import {
  axisOf,
  fixedDim,
  intOf,
  intsOf,
  needKnown,
  rankOf,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../lowering.ts";

const reshaped = (cx: LoweringContext, x: Value, dims: readonly Dim[]): Value =>
  cx.op("reshape", [x], { dims });

/** The dims that Reshape's second input asks for: 0 keeps a dim, -1 takes what is left. */
function askedDims(x: Value, asked: readonly number[], zeroIsZero: boolean): readonly Dim[] {
  const kept = asked.map((d, i): Dim => (d === 0 && !zeroIsZero ? (x.type.dims[i] ?? 0) : d));
  if (!kept.includes(-1)) return kept;
  const known = sizeOf(kept.filter((d) => d !== -1).map((d) => fixedDim(d, "the new shape")));
  const count = sizeOf(x.type.dims.map((d) => fixedDim(d, "the old shape")));
  return kept.map((d) => (d === -1 ? count / known : d));
}

/** Axes given as an attribute up to some opset and as an input since. */
const axesGiven = (cx: LoweringContext, i: number): readonly number[] | undefined =>
  intsOf(cx, "axes") ?? (cx.optional(i) ? needKnown(cx, i, "list of axes") : undefined);

export const shape: LoweringTable = {
  Reshape: (cx) => {
    const x = cx.input(0);
    const asked = intsOf(cx, "shape") ?? needKnown(cx, 1, "shape");
    return [reshaped(cx, x, askedDims(x, asked, intOf(cx, "allowzero", 0) === 1))];
  },
  Flatten: (cx) => {
    const x = cx.input(0);
    const axis = axisOf(intOf(cx, "axis", 1), rankOf(x));
    const dims = x.type.dims.map((d) => fixedDim(d, "the shape"));
    return [reshaped(cx, x, [sizeOf(dims.slice(0, axis)), sizeOf(dims.slice(axis))])];
  },
  Squeeze: (cx) => {
    const x = cx.input(0);
    const axes = axesGiven(cx, 1)?.map((a) => axisOf(a, rankOf(x)));
    return [
      reshaped(
        cx,
        x,
        x.type.dims.filter((d, i) => (axes ? !axes.includes(i) : d !== 1)),
      ),
    ];
  },
  Unsqueeze: (cx) => {
    const x = cx.input(0);
    const axes = axesGiven(cx, 1) ?? unsupported("it has no axes");
    const rank = rankOf(x) + axes.length;
    const at = new Set(axes.map((a) => axisOf(a, rank)));
    const rest = [...x.type.dims];
    const dims = Array.from({ length: rank }, (_, i): Dim => (at.has(i) ? 1 : (rest.shift() ?? 1)));
    return [reshaped(cx, x, dims)];
  },
  Transpose: (cx) => {
    const x = cx.input(0);
    const perm = intsOf(cx, "perm") ?? x.type.dims.map((_, i) => i).reverse();
    return [cx.op("transpose", [x], { perm })];
  },
  Concat: (cx) => {
    const parts = cx.node.inputs.map((_, i) => cx.input(i));
    return [cx.op("concat", parts, { axis: axisOf(intOf(cx, "axis", 1), rankOf(cx.input(0))) })];
  },
  Shape: (cx) => {
    const { dims } = cx.input(0).type;
    const [start, end] = [intOf(cx, "start", 0), intOf(cx, "end", dims.length)];
    const values = dims.slice(start, end).map((d) => fixedDim(d, "the shape"));
    return [cx.op("constant", [], { dtype: "i64", dims: [values.length], values })];
  },
  Size: (cx) => {
    const values = [sizeOf(cx.input(0).type.dims.map((d) => fixedDim(d, "the shape")))];
    return [cx.op("constant", [], { dtype: "i64", dims: [], values })];
  },
  Split: (cx) => {
    const x = cx.input(0);
    const axis = axisOf(intOf(cx, "axis", 0), rankOf(x));
    const size = fixedDim(x.type.dims[axis], "the axis");
    const parts = cx.node.outputs.length;
    const each = Math.ceil(size / parts);
    const sizes =
      intsOf(cx, "split") ??
      (cx.optional(1)
        ? needKnown(cx, 1, "list of sizes")
        : Array.from({ length: parts }, (_, i) => Math.min(each, size - i * each)));
    let begin = 0;
    return sizes.map((n) => {
      if (n <= 0) return unsupported("a part of it is empty");
      begin += n;
      return cx.op("slice", [x], { axis, begin: begin - n, end: begin });
    });
  },
  Slice: (cx) => {
    const x = cx.input(0);
    const starts = intsOf(cx, "starts") ?? needKnown(cx, 1, "list of starts");
    const ends = intsOf(cx, "ends") ?? needKnown(cx, 2, "list of ends");
    const axes = axesGiven(cx, 3) ?? starts.map((_, i) => i);
    const steps = cx.optional(4) ? needKnown(cx, 4, "list of steps") : starts.map(() => 1);
    return [
      axes.reduce((value, given, i) => {
        const axis = axisOf(given, rankOf(x));
        const size = fixedDim(x.type.dims[axis], "the axis");
        if (steps[i] !== 1) return unsupported("it takes steps other than 1");
        const within = (at: number): number => Math.max(0, Math.min(size, at < 0 ? at + size : at));
        const [begin, end] = [within(starts[i] ?? 0), within(ends[i] ?? size)];
        if (end <= begin) return unsupported("it takes nothing");
        return begin === 0 && end === size ? value : cx.op("slice", [value], { axis, begin, end });
      }, x),
    ];
  },
  Expand: (cx) => {
    const x = cx.input(0);
    const dims =
      broadcastDims(x.type.dims, needKnown(cx, 1, "shape")) ?? unsupported("its shapes do not fit");
    return [cx.op("broadcast", [x], { dims })];
  },
};
