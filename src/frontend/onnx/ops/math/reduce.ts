import { productOf } from "../../../../ir/dim.ts";
import type { Value } from "../../../../ir/graph.ts";
import {
  axisOf,
  compare,
  dimOf,
  div,
  flagOf,
  fixedDim,
  inF32,
  intOf,
  intsOf,
  iota,
  mul,
  needKnown,
  not,
  rankOf,
  reshape,
  select,
  sub,
  to,
  transpose,
  type Lowering,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";

type Reduction = "reduceSum" | "reduceMean" | "reduceMax" | "reduceProd";

/** The axes to reduce, an attribute up to some opset and an input since; undefined where nothing is to be done. */
function axesOf(cx: LoweringContext): readonly number[] | undefined {
  const rank = rankOf(cx.input(0));
  const given = intsOf(cx, "axes") ?? (cx.optional(1) ? needKnown(cx, 1, "list of axes") : []);
  if (given.length > 0) return given.map((a) => axisOf(a, rank));
  return flagOf(cx, "noop_with_empty_axes") ? undefined : cx.input(0).type.dims.map((_, i) => i);
}

/** Reduced axes stay with size 1, or go. */
function dropAxes(cx: LoweringContext, x: Value, axes: readonly number[]): Value {
  if (flagOf(cx, "keepdims", true)) return x;
  return reshape(
    cx,
    x,
    x.type.dims.filter((_, i): boolean => !axes.includes(i)),
  );
}

/** after(reduce(before(x))) along the axes. */
const reduced =
  (
    op: Reduction,
    before: (cx: LoweringContext, x: Value) => Value = (_, x) => x,
    after: (cx: LoweringContext, x: Value) => Value = (_, x) => x,
  ): Lowering =>
  (cx) => {
    const axes = axesOf(cx);
    const x = before(cx, cx.input(0));
    const value = (axes ?? []).reduce((v, axis) => cx.op(op, [v], { axis }), x);
    return [dropAxes(cx, after(cx, value), axes ?? [])];
  };

const unary =
  (op: "abs" | "exp" | "log" | "sqrt") =>
  (cx: LoweringContext, x: Value): Value =>
    cx.op(op, [x], {});
const square = (cx: LoweringContext, x: Value): Value => mul(cx, x, x);

/** The order turned around, exactly: all integers have a complement, floats a negative. */
function upsideDown(cx: LoweringContext, x: Value): Value {
  if (x.type.dtype === "bool") return not(cx, x);
  return /^[iu]/.test(x.type.dtype) ? cx.op("bitNot", [x], {}) : cx.op("neg", [x], {});
}

/** log(sum(exp x)), the largest taken off first. */
const logSumExp: Lowering = (cx) => {
  const axes = axesOf(cx);
  const x = cx.input(0);
  if (!axes) return [x];
  const along = (op: Reduction, v: Value): Value => axes.reduce((sum, axis) => cx.op(op, [sum], { axis }), v);
  const largest = along("reduceMax", x);
  const finite = compare(cx, cx.op("abs", [largest], {}), "less", Infinity);
  const shift = select(cx, finite, largest, 0);
  const sum = along("reduceSum", cx.op("exp", [sub(cx, x, shift)], {}));
  return [dropAxes(cx, cx.op("add", [cx.op("log", [sum], {}), shift], {}), axes)];
};

/** Work on one axis as the last: softmax and its kin. */
export function alongAxis(cx: LoweringContext, x: Value, axis: number, f: (x: Value) => Value): Value {
  const last = rankOf(x) - 1;
  if (axis === last) return f(x);
  const perm = x.type.dims.map((_, i) => (i === axis ? last : i === last ? axis : i));
  return transpose(cx, f(transpose(cx, x, perm)), perm);
}

/** Work on the axis of the softmax family: before opset 13 everything from the axis on counts as one. */
function asDistribution(cx: LoweringContext, f: (x: Value) => Value): Value {
  const x = cx.input(0);
  const newer = cx.opset >= 13;
  const axis = axisOf(intOf(cx, "axis", newer ? -1 : 1), rankOf(x));
  if (newer) return alongAxis(cx, x, axis, f);
  const { dims } = x.type;
  const flat = reshape(cx, x, [...dims.slice(0, axis), productOf(dims.slice(axis))]);
  return reshape(cx, f(flat), dims);
}

/** Along the last axis. Half floats are rounded step by step, as ONNX's definition has it; bfloat16 would lose too much. */
export function softmax(cx: LoweringContext, x: Value): Value {
  if (x.type.dtype !== "f16") return inF32(cx, x, (v) => cx.op("softmax", [v], {}));
  const axis = rankOf(x) - 1;
  const powers = cx.op("exp", [sub(cx, x, cx.op("reduceMax", [x], { axis }))], {});
  return div(cx, powers, cx.op("reduceSum", [powers], { axis }));
}

/** x - max - log(sum(exp(x - max))). */
function logSoftmax(cx: LoweringContext, x: Value): Value {
  const axis = rankOf(x) - 1;
  const shifted = sub(cx, x, cx.op("reduceMax", [x], { axis }));
  const sum = cx.op("reduceSum", [cx.op("exp", [shifted], {})], { axis });
  return sub(cx, shifted, cx.op("log", [sum], {}));
}

/** Where the best of the last axis stands, as [..., 1]: the first such place, or the last. */
function argBest(cx: LoweringContext, x: Value, last: boolean): Value {
  const axis = rankOf(x) - 1;
  const width = fixedDim(dimOf(x, axis), "the axis");
  const [, at] = cx.multi("topK", [last ? backwards(cx, x, width) : x], { k: 1 });
  if (!at) throw new Error("topK has two results");
  const index = to(cx, at, "i64");
  return last
    ? sub(cx, cx.op("constant", [], { dtype: "i64", dims: [], values: [width - 1] }), index)
    : index;
}

const backwards = (cx: LoweringContext, x: Value, width: number): Value => {
  const values = Array.from({ length: width }, (_, i) => width - 1 - i);
  const at = cx.op("constant", [], { dtype: "i64", dims: [width], values });
  return cx.op("take", [x, at], { axis: rankOf(x) - 1 });
};

const arg =
  (before: (cx: LoweringContext, x: Value) => Value): Lowering =>
  (cx) => {
    const x = cx.input(0);
    const axis = axisOf(intOf(cx, "axis", 0), rankOf(x));
    const pick = (v: Value): Value => argBest(cx, v, flagOf(cx, "select_last_index"));
    return [dropAxes(cx, alongAxis(cx, before(cx, x), axis, pick), [axis])];
  };

/** One at the first of the largest, else zero. */
function hardmax(cx: LoweringContext, x: Value): Value {
  const at = argBest(cx, x, false);
  const places = iota(cx, x.type.dims, rankOf(x) - 1);
  return to(cx, compare(cx, to(cx, places, "i64"), "equal", at), x.type.dtype);
}

const cumulated =
  (how: "sum" | "product"): Lowering =>
  (cx) => {
    const x = cx.input(0);
    const axis = axisOf(needKnown(cx, 1, "axis")[0] ?? 0, rankOf(x));
    return [
      cx.op("cumulate", [x], {
        axis,
        how,
        exclusive: flagOf(cx, "exclusive"),
        reverse: flagOf(cx, "reverse"),
      }),
    ];
  };

/** x over its norm along an axis; nothing stays nothing. */
function lpNormalization(cx: LoweringContext): Value {
  const x = cx.input(0);
  const axis = axisOf(intOf(cx, "axis", -1), rankOf(x));
  const norm =
    intOf(cx, "p", 2) === 1
      ? cx.op("reduceSum", [cx.op("abs", [x], {})], { axis })
      : cx.op("sqrt", [cx.op("reduceSum", [square(cx, x)], { axis })], {});
  const some = compare(cx, norm, "greater", 0);
  return div(cx, x, select(cx, some, norm, 1));
}

export const reduce: LoweringTable = {
  ReduceSum: reduced("reduceSum"),
  ReduceMean: reduced("reduceMean"),
  ReduceMax: reduced("reduceMax"),
  ReduceMin: reduced("reduceMax", upsideDown, upsideDown),
  ReduceProd: reduced("reduceProd"),
  ReduceL1: reduced("reduceSum", unary("abs")),
  ReduceL2: reduced("reduceSum", square, unary("sqrt")),
  ReduceSumSquare: reduced("reduceSum", square),
  ReduceLogSum: reduced("reduceSum", undefined, unary("log")),
  ReduceLogSumExp: logSumExp,
  Softmax: (cx) => [asDistribution(cx, (x) => softmax(cx, x))],
  LogSoftmax: (cx) => [asDistribution(cx, (x) => inF32(cx, x, (v) => logSoftmax(cx, v)))],
  Hardmax: (cx) => [asDistribution(cx, (x) => hardmax(cx, x))],
  ArgMax: arg((_, x) => x),
  ArgMin: arg(upsideDown),
  CumSum: cumulated("sum"),
  CumProd: cumulated("product"),
  LpNormalization: (cx) => [lpNormalization(cx)],
};
