import type { Value } from "../../../ir/graph.ts";
import type { OpName } from "../../../ir/ops/index.ts";
import {
  constantLike,
  floatOf,
  type Lowering,
  type LoweringContext,
  type LoweringTable,
} from "../lowering.ts";

type Plain = Extract<
  OpName,
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "max"
  | "min"
  | "pow"
  | "neg"
  | "abs"
  | "sign"
  | "floor"
  | "ceil"
  | "round"
  | "log"
  | "tanh"
  | "erf"
  | "exp"
  | "cos"
  | "sin"
  | "sqrt"
  | "sigmoid"
>;

const inputs = (cx: LoweringContext): readonly Value[] => cx.node.inputs.map((_, i) => cx.input(i));

/** One IR operator of the same meaning. */
const same =
  (op: Plain): Lowering =>
  (cx) => [cx.op(op, inputs(cx), {})];

/** Any number of operands, two by two from the left. */
const folded =
  (op: "add" | "max" | "min"): Lowering =>
  (cx) => [inputs(cx).reduce((a, b) => cx.op(op, [a, b], {}))];

const compare =
  (how: "equal" | "less" | "lessOrEqual" | "greater" | "greaterOrEqual"): Lowering =>
  (cx) => [cx.op("compare", [cx.input(0), cx.input(1)], { how })];

const not = (cx: LoweringContext, x: Value): Value =>
  cx.op("compare", [x, constantLike(cx, x, 0)], { how: "equal" });

/** x where x >= 0, else what `below` makes of it. */
const rectified =
  (below: (cx: LoweringContext, x: Value) => Value): Lowering =>
  (cx) => {
    const x = cx.input(0);
    const positive = cx.op("compare", [x, constantLike(cx, x, 0)], { how: "greaterOrEqual" });
    return [cx.op("select", [positive, x, below(cx, x)], {})];
  };

const scaled = (cx: LoweringContext, x: Value, by: number): Value =>
  cx.op("mul", [x, constantLike(cx, x, by)], {});

export const elementwise: LoweringTable = {
  Add: same("add"),
  Sub: same("sub"),
  Mul: same("mul"),
  Div: same("div"),
  Pow: (cx) => {
    const [a, b] = [cx.input(0), cx.input(1)];
    const exponent = a.type.dtype === b.type.dtype ? b : cx.op("cast", [b], { dtype: a.type.dtype });
    return [cx.op("pow", [a, exponent], {})];
  },
  Neg: same("neg"),
  Abs: same("abs"),
  Sign: same("sign"),
  Floor: same("floor"),
  Ceil: same("ceil"),
  Round: same("round"),
  Log: same("log"),
  Tanh: same("tanh"),
  Erf: same("erf"),
  Exp: same("exp"),
  Cos: same("cos"),
  Sin: same("sin"),
  Sqrt: same("sqrt"),
  Sigmoid: same("sigmoid"),
  Reciprocal: (cx) => [cx.op("div", [constantLike(cx, cx.input(0), 1), cx.input(0)], {})],
  Sum: folded("add"),
  Max: folded("max"),
  Min: folded("min"),
  Mean: (cx) => {
    const all = inputs(cx);
    return [
      scaled(
        cx,
        all.reduce((a, b) => cx.op("add", [a, b], {})),
        1 / all.length,
      ),
    ];
  },
  Equal: compare("equal"),
  Less: compare("less"),
  LessOrEqual: compare("lessOrEqual"),
  Greater: compare("greater"),
  GreaterOrEqual: compare("greaterOrEqual"),
  Not: (cx) => [not(cx, cx.input(0))],
  And: same("mul"),
  Or: same("max"),
  Xor: (cx) => [not(cx, cx.op("compare", [cx.input(0), cx.input(1)], { how: "equal" }))],
  IsNaN: (cx) => [not(cx, cx.op("compare", [cx.input(0), cx.input(0)], { how: "equal" }))],
  Where: (cx) => [cx.op("select", [cx.input(0), cx.input(1), cx.input(2)], {})],
  Identity: (cx) => [cx.input(0)],
  Relu: rectified((cx, x) => constantLike(cx, x, 0)),
  LeakyRelu: rectified((cx, x) => scaled(cx, x, floatOf(cx, "alpha", 0.01))),
  Clip: (cx) => {
    const [low, high] = [cx.optional(1), cx.optional(2)];
    const raised = low ? cx.op("max", [cx.input(0), low], {}) : cx.input(0);
    return [high ? cx.op("min", [raised, high], {}) : raised];
  },
  Swish: (cx) => {
    const x = cx.input(0);
    return [cx.op("mul", [x, cx.op("sigmoid", [scaled(cx, x, floatOf(cx, "alpha", 1))], {})], {})];
  },
  Softplus: (cx) => {
    const e = cx.op("exp", [cx.input(0)], {});
    return [cx.op("log", [cx.op("add", [e, constantLike(cx, e, 1)], {})], {})];
  },
};
