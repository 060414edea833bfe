import { defineOp } from "../define-op.ts";
import { broadcastDims, formatDims, sizeOf, type TensorType } from "../types.ts";

const binary = (summary: string) =>
  defineOp({
    summary,
    operands: ["a", "b"],
    results: ["out"],
    attrs: {},
    infer: ([a, b]) => {
      if (!a || !b) return "needs two operands";
      if (a.dtype !== b.dtype) return `operands are ${a.dtype} and ${b.dtype}`;
      const dims = broadcastDims(a.dims, b.dims);
      if (!dims) return `${formatDims(a.dims)} and ${formatDims(b.dims)} do not broadcast`;
      return [{ dtype: a.dtype, dims }];
    },
    flops: ([a, b], _, named) => Math.max(sizeOf(a?.dims ?? [], named), sizeOf(b?.dims ?? [], named)),
  });

const unary = (summary: string, cost = 1) =>
  defineOp({
    summary,
    operands: ["x"],
    results: ["out"],
    attrs: {},
    infer: ([x]: readonly TensorType[]) => (x ? [x] : "needs one operand"),
    flops: ([x], _, named) => cost * sizeOf(x?.dims ?? [], named),
  });

export const elementwiseOps = {
  add: binary("a + b, broadcast as numpy does"),
  sub: binary("a - b, broadcast as numpy does"),
  mul: binary("a * b, broadcast as numpy does"),
  div: binary("a / b, broadcast as numpy does; integers divide towards zero"),
  max: binary("the larger of a and b, NaN if either is, broadcast as numpy does"),
  min: binary("the smaller of a and b, NaN if either is, broadcast as numpy does"),
  mod: binary("the remainder of a / b with the sign of b, broadcast as numpy does"),
  pow: binary("a to the power b, broadcast as numpy does"),
  neg: unary("-x"),
  abs: unary("x without its sign"),
  sign: unary("-1, 0 or 1"),
  floor: unary("the largest integer not above x"),
  ceil: unary("the smallest integer not below x"),
  round: unary("the nearest integer, halves to even"),
  log: unary("natural logarithm of x"),
  tanh: unary("hyperbolic tangent of x", 4),
  erf: unary("the error function: 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x", 10),
  exp: unary("e^x"),
  cos: unary("cosine of x in radians"),
  sin: unary("sine of x in radians"),
  sqrt: unary("square root of x"),
  rsqrt: unary("1 / square root of x"),
  sigmoid: unary("1 / (1 + e^-x)", 4),
  silu: unary("x * sigmoid(x)", 5),
} as const;
