import type { OpName } from "../../ir/ops/index.ts";
import type { elementwiseOps } from "../../ir/ops/elementwise.ts";
import { dtypes } from "../../tensor/dtype.ts";
import { need, result, type Kernel } from "../kernel.ts";
import { roundHalfEven, rounderOf } from "../numbers.ts";
import { broadcastTo } from "../tensor.ts";

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** The Maclaurin series near zero, the continued fraction of erfc beyond (Abramowitz and Stegun 7.1.5 and 7.1.14). */
function erf(x: number): number {
  const z = Math.abs(x);
  if (Number.isNaN(x) || z > 6) return Number.isNaN(x) ? NaN : Math.sign(x);
  if (z < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = z;
  for (let n = 60; n > 0; n--) fraction = z + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction));
}

/** The remainder with the sign of b; what an infinite b leaves of a. */
function floorMod(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

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
  max: binary(Math.max),
  min: binary(Math.min),
  mod: binary(floorMod),
  pow: binary(Math.pow),
  neg: unary((x) => -x),
  abs: unary(Math.abs),
  sign: unary(Math.sign),
  floor: unary(Math.floor),
  ceil: unary(Math.ceil),
  round: unary(roundHalfEven),
  log: unary(Math.log),
  tanh: unary(Math.tanh),
  erf: unary(erf),
  exp: unary(Math.exp),
  cos: unary(Math.cos),
  sin: unary(Math.sin),
  sqrt: unary(Math.sqrt),
  rsqrt: unary((x) => 1 / Math.sqrt(x)),
  sigmoid: unary(sigmoid),
  silu: unary((x) => x * sigmoid(x)),
};
