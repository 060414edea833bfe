import type { Value } from "../../../../ir/graph.ts";
import type { OpName } from "../../../../ir/ops/index.ts";
import {
  add,
  compare,
  constantLike,
  div,
  inputs,
  intOf,
  max,
  min,
  mod,
  mul,
  not,
  select,
  sub,
  textOf,
  to,
  type Comparison,
  type Lowering,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";

type Plain = Extract<
  OpName,
  | "add"
  | "sub"
  | "mul"
  | "div"
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
  | "bitAnd"
  | "bitOr"
  | "bitXor"
  | "bitNot"
>;

/** One IR operator of the same meaning. */
const same =
  (op: Plain): Lowering =>
  (cx) => [cx.op(op, inputs(cx), {})];

/** Any number of operands, two by two from the left. */
const folded =
  (op: "add" | "max" | "min"): Lowering =>
  (cx) => [inputs(cx).reduce((a, b) => cx.op(op, [a, b], {}))];

const compared =
  (how: Comparison): Lowering =>
  (cx) => [compare(cx, cx.input(0), how, cx.input(1))];

/** The whole part towards zero. */
function truncate(cx: LoweringContext, x: Value): Value {
  const up = cx.op("ceil", [x], {});
  return select(cx, compare(cx, x, "less", 0), up, cx.op("floor", [x], {}));
}

/** The remainder with the sign of a: a - b * truncate(a / b). Integers divide towards zero already. */
function remainder(cx: LoweringContext, a: Value, b: Value): Value {
  const quotient = div(cx, a, b);
  const whole = /^[iu]/.test(a.type.dtype) ? quotient : truncate(cx, quotient);
  return sub(cx, a, mul(cx, whole, b));
}

/** Bounds are attributes up to opset 10 and inputs since. */
function clip(cx: LoweringContext): Value {
  const x = cx.input(0);
  const bound = (i: number, name: string): Value | undefined => {
    const given = cx.node.attributes.get(name);
    return given?.kind === "float" ? constantLike(cx, x, given.value) : cx.optional(i);
  };
  const [low, high] = [bound(1, "min"), bound(2, "max")];
  const raised = low ? max(cx, x, low) : x;
  return high ? min(cx, raised, high) : raised;
}

function isInfinite(cx: LoweringContext): Value {
  const x = cx.input(0);
  const [negative, positive] = [intOf(cx, "detect_negative", 1), intOf(cx, "detect_positive", 1)];
  const below = compare(cx, x, "equal", -Infinity);
  const above = compare(cx, x, "equal", Infinity);
  if (negative && positive) return max(cx, below, above);
  return negative ? below : positive ? above : compare(cx, x, "less", x);
}

export const elementwise: LoweringTable = {
  Add: same("add"),
  Sub: same("sub"),
  Mul: same("mul"),
  Div: same("div"),
  Pow: (cx) => {
    const a = cx.input(0);
    return [cx.op("pow", [a, to(cx, cx.input(1), a.type.dtype)], {})];
  },
  Mod: (cx) => {
    const [a, b] = [cx.input(0), cx.input(1)];
    return [intOf(cx, "fmod", 0) === 1 ? remainder(cx, a, b) : mod(cx, a, b)];
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
  Reciprocal: (cx) => [div(cx, constantLike(cx, cx.input(0), 1), cx.input(0))],
  Sum: folded("add"),
  Max: folded("max"),
  Min: folded("min"),
  Mean: (cx) => {
    const all = inputs(cx);
    const sum = all.reduce((a, b) => add(cx, a, b));
    return [mul(cx, sum, 1 / all.length)];
  },
  Equal: compared("equal"),
  Less: compared("less"),
  LessOrEqual: compared("lessOrEqual"),
  Greater: compared("greater"),
  GreaterOrEqual: compared("greaterOrEqual"),
  Not: (cx) => [not(cx, cx.input(0))],
  And: (cx) => [mul(cx, cx.input(0), cx.input(1))],
  Or: (cx) => [max(cx, cx.input(0), cx.input(1))],
  Xor: (cx) => [not(cx, compare(cx, cx.input(0), "equal", cx.input(1)))],
  IsNaN: (cx) => [not(cx, compare(cx, cx.input(0), "equal", cx.input(0)))],
  IsInf: (cx) => [isInfinite(cx)],
  Where: (cx) => [select(cx, cx.input(0), cx.input(1), cx.input(2))],
  Identity: (cx) => [cx.item(0) ?? cx.input(0)],
  Clip: (cx) => [clip(cx)],
  BitwiseAnd: same("bitAnd"),
  BitwiseOr: same("bitOr"),
  BitwiseXor: same("bitXor"),
  BitwiseNot: same("bitNot"),
  BitShift: (cx) => {
    const op = textOf(cx, "direction", "LEFT") === "LEFT" ? "shiftLeft" : "shiftRight";
    return [cx.op(op, [cx.input(0), cx.input(1)], {})];
  },
};
