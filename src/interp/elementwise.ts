import type { OpName } from "../ir/ops/index.ts";
import type { elementwiseOps } from "../ir/ops/elementwise.ts";
import { dtypes } from "../tensor/dtype.ts";
import { need, result, type Kernel } from "./kernel.ts";
import { rounderOf } from "./numbers.ts";
import { broadcastTo } from "./tensor.ts";

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const binary =
  <K extends OpName>(f: (a: number, b: number) => number): Kernel<K> =>
  (operands, call) => {
    const out = result(call);
    const round = rounderOf(out.dtype);
    const a = broadcastTo(need(operands, 0), out.shape);
    const b = broadcastTo(need(operands, 1), out.shape);
    for (let i = 0; i < out.data.length; i++) out.data[i] = round(f(a.data[i] ?? 0, b.data[i] ?? 0));
    return [out];
  };

const unary =
  <K extends OpName>(f: (x: number) => number): Kernel<K> =>
  (operands, call) => {
    const x = need(operands, 0);
    const out = result(call);
    const round = rounderOf(out.dtype);
    for (let i = 0; i < out.data.length; i++) out.data[i] = round(f(x.data[i] ?? 0));
    return [out];
  };

/** Integers divide towards zero. */
const divide: Kernel<"div"> = (operands, call) =>
  dtypes[call.dtypes[0] ?? "f32"].kind === "int"
    ? binary<"div">((a, b) => Math.trunc(a / b))(operands, call)
    : binary<"div">((a, b) => a / b)(operands, call);

export const elementwiseKernels: { readonly [K in keyof typeof elementwiseOps]: Kernel<K> } = {
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: divide,
  neg: unary((x) => -x),
  exp: unary(Math.exp),
  cos: unary(Math.cos),
  sin: unary(Math.sin),
  sqrt: unary(Math.sqrt),
  rsqrt: unary((x) => 1 / Math.sqrt(x)),
  sigmoid: unary(sigmoid),
  silu: unary((x) => x * sigmoid(x)),
};
