import type { OpName } from "../ir/ops/index.ts";
import type { elementwiseOps } from "../ir/ops/elementwise.ts";
import { need, shapeAt, type Kernel } from "./kernel.ts";
import { broadcastTo, floats } from "./tensor.ts";

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const binary =
  <K extends OpName>(f: (a: number, b: number) => number): Kernel<K> =>
  (operands, call) => {
    const shape = shapeAt(call);
    const a = broadcastTo(need(operands, 0), shape);
    const b = broadcastTo(need(operands, 1), shape);
    const out = floats(shape);
    for (let i = 0; i < out.data.length; i++) out.data[i] = f(a.data[i] ?? 0, b.data[i] ?? 0);
    return [out];
  };

const unary =
  <K extends OpName>(f: (x: number) => number): Kernel<K> =>
  (operands) => {
    const x = need(operands, 0);
    return [floats(x.shape, Float32Array.from(x.data, f))];
  };

export const elementwiseKernels: { readonly [K in keyof typeof elementwiseOps]: Kernel<K> } = {
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  neg: unary((x) => -x),
  exp: unary(Math.exp),
  cos: unary(Math.cos),
  sin: unary(Math.sin),
  sqrt: unary(Math.sqrt),
  rsqrt: unary((x) => 1 / Math.sqrt(x)),
  sigmoid: unary(sigmoid),
  silu: unary((x) => x * sigmoid(x)),
};
