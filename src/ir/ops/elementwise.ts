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
  neg: unary("-x"),
  exp: unary("e^x"),
  cos: unary("cosine of x in radians"),
  sin: unary("sine of x in radians"),
  sqrt: unary("square root of x"),
  rsqrt: unary("1 / square root of x"),
  sigmoid: unary("1 / (1 + e^-x)", 4),
  silu: unary("x * sigmoid(x)", 5),
} as const;
