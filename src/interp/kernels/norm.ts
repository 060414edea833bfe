import type { normOps } from "../../ir/ops/norm.ts";
import { dot } from "./linear.ts";
import { need, result, type Kernel } from "../kernel.ts";
import { lowestOf, rounderOf } from "../numbers.ts";
import { floats, sizeOfShape, type Tensor } from "../tensor.ts";

function rmsNorm(x: Tensor, gain: Tensor, eps: number): Tensor {
  const out = floats(x.shape);
  const n = gain.data.length;
  for (let at = 0; at < x.data.length; at += n) {
    const scale = 1 / Math.sqrt(dot(x.data, at, x.data, at, n) / n + eps);
    for (let i = 0; i < n; i++) out.data[at + i] = (gain.data[i] ?? 0) * ((x.data[at + i] ?? 0) * scale);
  }
  return out;
}

/** Softmax of `n` values from `at`, in place, the largest taken off first. */
export function softmaxInPlace(x: Float32Array | Float64Array, at: number, n: number): void {
  let max = -Infinity;
  for (let i = at; i < at + n; i++) max = Math.max(max, x[i] ?? 0);
  let sum = 0;
  for (let i = at; i < at + n; i++) sum += Math.exp((x[i] ?? 0) - max);
  for (let i = at; i < at + n; i++) x[i] = Math.exp((x[i] ?? 0) - max) / sum;
}

const reduce =
  (
    first: number,
    step: (sum: number, x: number) => number,
    finish: (sum: number, n: number) => number,
  ): Kernel<"reduceSum" | "reduceMean" | "reduceMax" | "reduceProd"> =>
  (operands, call) => {
    const x = need(operands, 0);
    const { axis } = call.attrs;
    const n = x.shape.at(axis) ?? 1;
    const inner = sizeOfShape(x.shape.slice(axis < 0 ? x.shape.length + axis + 1 : axis + 1));
    const out = result(call);
    const round = rounderOf(out.dtype);
    for (let i = 0; i < out.data.length; i++) {
      const at = Math.floor(i / inner) * n * inner + (i % inner);
      let sum = n === 0 && first === -Infinity ? lowestOf(out.dtype) : first;
      for (let j = 0; j < n; j++) sum = step(sum, x.data[at + j * inner] ?? 0);
      out.data[i] = round(finish(sum, n));
    }
    return [out];
  };

export const normKernels: { readonly [K in Exclude<keyof typeof normOps, "cumulate">]: Kernel<K> } = {
  rmsNorm: (operands, { attrs }) => [rmsNorm(need(operands, 0), need(operands, 1), attrs.eps)],
  addRmsNorm: (operands, { attrs }) => {
    const [x, residual, gain] = [need(operands, 0), need(operands, 1), need(operands, 2)];
    const sum = floats(
      x.shape,
      Float32Array.from(x.data, (v, i) => v + (residual.data[i] ?? 0)),
    );
    return [sum, rmsNorm(sum, gain, attrs.eps)];
  },
  softmax: (operands) => {
    const x = need(operands, 0);
    const n = x.shape.at(-1) ?? 1;
    const data = Float32Array.from(x.data);
    for (let at = 0; at < data.length; at += n) softmaxInPlace(data, at, n);
    return [floats(x.shape, data)];
  },
  reduceSum: reduce(
    0,
    (sum, x) => sum + x,
    (sum) => sum,
  ),
  reduceMean: reduce(
    0,
    (sum, x) => sum + x,
    (sum, n) => sum / n,
  ),
  reduceMax: reduce(-Infinity, Math.max, (max) => max),
  reduceProd: reduce(
    1,
    (product, x) => product * x,
    (product) => product,
  ),
};
