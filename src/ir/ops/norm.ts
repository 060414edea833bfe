import { choice, flag, float, int } from "../attributes.ts";
import { defineOp } from "../define-op.ts";
import { formatDims, sameType, sizeOf, type TensorType } from "../types.ts";

const covers = (gain: TensorType | undefined, x: TensorType | undefined): boolean =>
  gain?.dims.length === 1 && gain.dims[0] === x?.dims.at(-1);

const reduce = (summary: string) =>
  defineOp({
    summary,
    operands: ["x"],
    results: ["out"],
    attrs: { axis: int },
    infer: ([x], { axis }) =>
      x?.dims[axis] === undefined ? `has no axis ${axis}` : [{ dtype: x.dtype, dims: x.dims.with(axis, 1) }],
    flops: ([x], _, named) => sizeOf(x?.dims ?? [], named),
  });

export const normOps = {
  rmsNorm: defineOp({
    summary: "gain * x / sqrt(mean(x^2) + eps) over the last axis (Zhang and Sennrich 2019, eq. 4)",
    operands: ["x", "gain"],
    results: ["out"],
    attrs: { eps: float },
    infer: ([x, gain]) =>
      x && covers(gain, x) ? [x] : `gain ${formatDims(gain?.dims ?? [])} must cover the last axis of x`,
    flops: ([x], _, named) => 4 * sizeOf(x?.dims ?? [], named),
  }),
  addRmsNorm: defineOp({
    summary: "sum = x + residual, and rmsNorm(sum, gain)",
    operands: ["x", "residual", "gain"],
    results: ["sum", "out"],
    attrs: { eps: float },
    infer: ([x, residual, gain]) =>
      x && residual && sameType(x, residual) && covers(gain, x)
        ? [x, x]
        : "x and residual must be of one type and gain cover their last axis",
    flops: ([x], _, named) => 5 * sizeOf(x?.dims ?? [], named),
  }),
  softmax: defineOp({
    summary: "exp(x) over its sum, along the last axis",
    operands: ["x"],
    results: ["out"],
    attrs: {},
    infer: ([x]) => (x ? [x] : "needs one operand"),
    flops: ([x], _, named) => 5 * sizeOf(x?.dims ?? [], named),
  }),
  reduceSum: reduce("sum along one axis, which stays with size 1"),
  reduceMean: reduce("mean along one axis, which stays with size 1"),
  reduceMax: reduce("maximum along one axis, which stays with size 1"),
  reduceProd: reduce("product along one axis, which stays with size 1"),
  cumulate: defineOp({
    summary: "running sums or products along one axis, each with or without the element it stands at",
    operands: ["x"],
    results: ["out"],
    attrs: { axis: int, how: choice("sum", "product"), exclusive: flag, reverse: flag },
    infer: ([x], { axis }) => (x?.dims[axis] === undefined ? `has no axis ${axis}` : [x]),
    flops: ([x], _, named) => sizeOf(x?.dims ?? [], named),
  }),
} as const;
