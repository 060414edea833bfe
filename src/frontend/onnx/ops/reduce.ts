import type { Value } from "../../../ir/graph.ts";
import type { Dim } from "../../../ir/dim.ts";
import {
  axisOf,
  constantLike,
  intOf,
  intsOf,
  needKnown,
  rankOf,
  type Lowering,
  type LoweringContext,
  type LoweringTable,
} from "../lowering.ts";

type Reduction = "reduceSum" | "reduceMean" | "reduceMax";

/** The axes to reduce, an attribute up to some opset and an input since; undefined where nothing is to be done. */
function axesOf(cx: LoweringContext): readonly number[] | undefined {
  const rank = rankOf(cx.input(0));
  const given = intsOf(cx, "axes") ?? (cx.optional(1) ? needKnown(cx, 1, "list of axes") : []);
  if (given.length > 0) return given.map((a) => axisOf(a, rank));
  return intOf(cx, "noop_with_empty_axes", 0) === 1 ? undefined : cx.input(0).type.dims.map((_, i) => i);
}

/** Reduced axes stay with size 1, or go. */
function dropAxes(cx: LoweringContext, x: Value, axes: readonly number[]): Value {
  if (intOf(cx, "keepdims", 1) === 1) return x;
  const dims = x.type.dims.filter((_, i): boolean => !axes.includes(i));
  return cx.op("reshape", [x], { dims });
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
  (op: "abs" | "exp" | "log" | "sqrt" | "neg") =>
  (cx: LoweringContext, x: Value): Value =>
    cx.op(op, [x], {});
/** The order turned around: -x, or not x. */
const upsideDown = (cx: LoweringContext, x: Value): Value =>
  x.type.dtype === "bool"
    ? cx.op("compare", [x, constantLike(cx, x, 0)], { how: "equal" })
    : cx.op("neg", [x], {});
const square = (cx: LoweringContext, x: Value): Value => cx.op("mul", [x, x], {});

/** Work on one axis as the last: softmax and its kin. */
function alongAxis(cx: LoweringContext, x: Value, axis: number, f: (x: Value) => Value): Value {
  const last = rankOf(x) - 1;
  if (axis === last) return f(x);
  const perm = x.type.dims.map((_, i) => (i === axis ? last : i === last ? axis : i));
  return cx.op("transpose", [f(cx.op("transpose", [x], { perm }))], { perm });
}

/** Before opset 13 everything from the axis on counts as one axis. */
function softmax(cx: LoweringContext): Value {
  const x = cx.input(0);
  const newer = cx.opset >= 13;
  const axis = axisOf(intOf(cx, "axis", newer ? -1 : 1), rankOf(x));
  const apply = (v: Value): Value => cx.op("softmax", [v], {});
  if (newer) return alongAxis(cx, x, axis, apply);
  const { dims } = x.type;
  const tail = dims.slice(axis).reduce<number>((n, d) => n * Number(d), 1);
  const flat = cx.op("reshape", [x], { dims: [...dims.slice(0, axis), tail] as readonly Dim[] });
  return cx.op("reshape", [apply(flat)], { dims });
}

/** Where the largest of an axis stands. */
const argBest =
  (before: (cx: LoweringContext, x: Value) => Value): Lowering =>
  (cx) => {
    const x = cx.input(0);
    const axis = axisOf(intOf(cx, "axis", 0), rankOf(x));
    const pick = (v: Value): Value => {
      const width = Number(v.type.dims.at(-1));
      const last = intOf(cx, "select_last_index", 0) === 1;
      const seen = last ? reversed(cx, v, width) : v;
      const [, at] = cx.multi("topK", [seen], { k: 1 });
      const index = cx.op("cast", [at ?? seen], { dtype: "i64" });
      return last ? cx.op("sub", [constantLike(cx, index, width - 1), index], {}) : index;
    };
    return [dropAxes(cx, alongAxis(cx, before(cx, x), axis, pick), [axis])];
  };

/** The last axis backwards, slice by slice. */
function reversed(cx: LoweringContext, x: Value, width: number): Value {
  const axis = rankOf(x) - 1;
  const parts = Array.from({ length: width }, (_, i) =>
    cx.op("slice", [x], { axis, begin: width - 1 - i, end: width - i }),
  );
  return cx.op("concat", parts, { axis });
}

export const reduce: LoweringTable = {
  ReduceSum: reduced("reduceSum"),
  ReduceMean: reduced("reduceMean"),
  ReduceMax: reduced("reduceMax"),
  ReduceMin: reduced("reduceMax", upsideDown, upsideDown),
  ReduceL1: reduced("reduceSum", unary("abs")),
  ReduceL2: reduced("reduceSum", square, unary("sqrt")),
  ReduceSumSquare: reduced("reduceSum", square),
  ReduceLogSum: reduced("reduceSum", undefined, unary("log")),
  ReduceLogSumExp: reduced("reduceSum", unary("exp"), unary("log")),
  Softmax: (cx) => [softmax(cx)],
  LogSoftmax: (cx) => [cx.op("log", [softmax(cx)], {})],
  ArgMax: argBest((_, x) => x),
  ArgMin: argBest(unary("neg")),
};
