import type { linearOps } from "../../ir/ops/linear.ts";
import { need, result, shapeAt, type Kernel } from "../kernel.ts";
import { rounderOf, type Numbers } from "../numbers.ts";
import { broadcastTo, floats } from "../tensor.ts";

/** Σ a[i]·b[i] over `n` elements, in float64. */
export function dot(a: Numbers, aAt: number, b: Numbers, bAt: number, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += (a[aAt + i] ?? 0) * (b[bAt + i] ?? 0);
  return sum;
}

export const linearKernels: { readonly [K in keyof typeof linearOps]: Kernel<K> } = {
  linear: (operands, call) => {
    const [x, w, bias] = [need(operands, 0), need(operands, 1), operands[2]];
    const [n = 1, k = 1] = w.shape;
    const out = floats(shapeAt(call));
    for (let row = 0; row < out.data.length / n; row++)
      for (let j = 0; j < n; j++)
        out.data[row * n + j] = dot(x.data, row * k, w.data, j * k, k) + (bias?.data[j] ?? 0);
    return [out];
  },
  headLinear: (operands, call) => {
    const [x, w] = [need(operands, 0), need(operands, 1)];
    const [heads = 1, n = 1, k = 1] = w.shape;
    const out = floats(shapeAt(call));
    for (let i = 0; i < out.data.length; i++) {
      const row = Math.floor(i / n);
      out.data[i] = dot(x.data, row * k, w.data, ((row % heads) * n + (i % n)) * k, k);
    }
    return [out];
  },
  matmul: (operands, call) => {
    const a = need(operands, 0);
    const [m = 1, n = 1] = shapeAt(call).slice(-2);
    const k = a.shape.at(-1) ?? 1;
    const b = broadcastTo(need(operands, 1), [...a.shape.slice(0, -2), k, n]);
    const out = result(call);
    const round = rounderOf(out.dtype);
    for (let i = 0; i < out.data.length; i++) {
      const batch = Math.floor(i / (m * n));
      const row = Math.floor(i / n) % m;
      let sum = 0;
      for (let j = 0; j < k; j++)
        sum += (a.data[(batch * m + row) * k + j] ?? 0) * (b.data[(batch * k + j) * n + (i % n)] ?? 0);
      out.data[i] = round(sum);
    }
    return [out];
  },
};
