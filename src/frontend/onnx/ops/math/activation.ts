import type { Value } from "../../../../ir/graph.ts";
import {
  add,
  compare,
  div,
  floatOf,
  max,
  min,
  mul,
  select,
  sub,
  textOf,
  to,
  type Lowering,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";

/** x where x >= 0, else what `below` makes of it. */
const rectified =
  (below: (cx: LoweringContext, x: Value) => Value | number): Lowering =>
  (cx) => {
    const x = cx.input(0);
    return [select(cx, compare(cx, x, "greaterOrEqual", 0), x, below(cx, x))];
  };

const exponential = (cx: LoweringContext, x: Value): Value => sub(cx, cx.op("exp", [x], {}), 1);

/** log(1 + exp(x)), written so that no exponential overflows. */
function softplus(cx: LoweringContext, x: Value): Value {
  const small = cx.op("exp", [cx.op("neg", [cx.op("abs", [x], {})], {})], {});
  return add(cx, max(cx, x, 0), cx.op("log", [add(cx, small, 1)], {}));
}

/** Gelu(x) = x/2 (1 + erf(x / sqrt 2)), or with tanh in its place (Hendrycks and Gimpel 2016). */
function gelu(cx: LoweringContext): Value {
  const x = cx.input(0);
  const cubed = (): Value => mul(cx, mul(cx, mul(cx, x, x), x), 0.044715);
  const share =
    textOf(cx, "approximate", "none") === "tanh"
      ? cx.op("tanh", [mul(cx, add(cx, x, cubed()), Math.sqrt(2 / Math.PI))], {})
      : cx.op("erf", [mul(cx, x, Math.SQRT1_2)], {});
  return mul(cx, mul(cx, x, 0.5), add(cx, share, 1));
}

/** min(1, max(0, alpha x + beta)). */
const hardSigmoid = (cx: LoweringContext, x: Value, alpha: number, beta: number): Value =>
  max(cx, min(cx, add(cx, mul(cx, x, alpha), beta), 1), 0);

/** x sigmoid(alpha x). */
export const swish = (cx: LoweringContext, x: Value, alpha = 1): Value =>
  mul(cx, x, cx.op("sigmoid", [alpha === 1 ? x : mul(cx, x, alpha)], {}));

export const activation: LoweringTable = {
  Relu: rectified(() => 0),
  LeakyRelu: rectified((cx, x) => mul(cx, x, floatOf(cx, "alpha", 0.01))),
  PRelu: rectified((cx, x) => mul(cx, x, cx.input(1))),
  Elu: rectified((cx, x) => mul(cx, exponential(cx, x), floatOf(cx, "alpha", 1))),
  Celu: rectified((cx, x) => {
    const alpha = floatOf(cx, "alpha", 1);
    return mul(cx, exponential(cx, div(cx, x, alpha)), alpha);
  }),
  Selu: (cx) => {
    const below: Lowering = rectified((_, x) => mul(cx, exponential(cx, x), floatOf(cx, "alpha", 1.6732632)));
    const [x] = below(cx) as readonly Value[];
    return [mul(cx, x ?? cx.input(0), floatOf(cx, "gamma", 1.050701))];
  },
  Softsign: (cx) => [div(cx, cx.input(0), add(cx, cx.op("abs", [cx.input(0)], {}), 1))],
  ThresholdedRelu: (cx) => [
    select(cx, compare(cx, cx.input(0), "greater", floatOf(cx, "alpha", 1)), cx.input(0), 0),
  ],
  Softplus: (cx) => [softplus(cx, cx.input(0))],
  Mish: (cx) => [mul(cx, cx.input(0), cx.op("tanh", [softplus(cx, cx.input(0))], {}))],
  Gelu: (cx) => [gelu(cx)],
  HardSigmoid: (cx) => [hardSigmoid(cx, cx.input(0), floatOf(cx, "alpha", 0.2), floatOf(cx, "beta", 0.5))],
  HardSwish: (cx) => [mul(cx, cx.input(0), hardSigmoid(cx, cx.input(0), 1 / 6, 0.5))],
  Swish: (cx) => [swish(cx, cx.input(0), floatOf(cx, "alpha", 1))],
  SwiGLU: (cx) => {
    const [gate, up] = [cx.input(0), cx.input(1)];
    const alpha = floatOf(cx, "alpha", 1);
    if (alpha === 1 && gate.type.dtype === "f32") return [cx.op("swiglu", [gate, up], {})];
    return [to(cx, mul(cx, swish(cx, gate, alpha), up), gate.type.dtype)];
  },
};
