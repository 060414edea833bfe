import type { selectOps } from "../../ir/ops/select.ts";
import { dtypes } from "../../tensor/dtype.ts";
import { need, result, shapeAt, type Kernel } from "../kernel.ts";
import { rounderOf } from "../numbers.ts";
import { broadcastTo, stridesOf, type Tensor } from "../tensor.ts";

const comparisons = {
  equal: (a: number, b: number) => a === b,
  less: (a: number, b: number) => a < b,
  lessOrEqual: (a: number, b: number) => a <= b,
  greater: (a: number, b: number) => a > b,
  greaterOrEqual: (a: number, b: number) => a >= b,
} as const;

/** The indices of the `n` largest of `scores`, best first; of equals the one with the lower index. */
export function best(scores: ArrayLike<number>, n: number): number[] {
  return Array.from(scores, (_, i) => i)
    .sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b)
    .slice(0, n);
}

export const selectKernels: { readonly [K in keyof typeof selectOps]: Kernel<K> } = {
  cast: (operands, call) => {
    const x = need(operands, 0);
    const out = result(call);
    const round = rounderOf(out.dtype);
    const toInteger = dtypes[out.dtype].kind === "int";
    for (let i = 0; i < out.data.length; i++) {
      const value = x.data[i] ?? 0;
      out.data[i] = round(toInteger ? Math.trunc(value) : value);
    }
    return [out];
  },
  iota: (_, call) => {
    const shape = shapeAt(call);
    const stride = stridesOf(shape)[call.attrs.axis] ?? 1;
    const size = shape[call.attrs.axis] ?? 1;
    const length = shape.reduce((n, d) => n * d, 1);
    return [
      { dtype: "i32", shape, data: Int32Array.from({ length }, (_x, i) => Math.floor(i / stride) % size) },
    ];
  },
  compare: (operands, call) => {
    const shape = shapeAt(call);
    const [a, b] = [broadcastTo(need(operands, 0), shape), broadcastTo(need(operands, 1), shape)];
    const holds = comparisons[call.attrs.how];
    const data = Int32Array.from(a.data, (x, i) => (holds(x, b.data[i] ?? NaN) ? 1 : 0));
    return [{ dtype: "bool", shape, data }];
  },
  select: (operands, call) => {
    const shape = shapeAt(call);
    const [condition, a, b] = [0, 1, 2].map((i) => broadcastTo(need(operands, i), shape)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const out = result(call);
    for (let i = 0; i < out.data.length; i++) out.data[i] = (condition.data[i] ? a.data[i] : b.data[i]) ?? 0;
    return [out];
  },
  topK: (operands, call) => {
    const x = need(operands, 0);
    const [n, k] = [x.shape.at(-1) ?? 1, call.bind(call.attrs.k)];
    const values = result(call);
    const indices = new Int32Array(values.data.length);
    for (let row = 0; row * n < x.data.length; row++)
      best(x.data.subarray(row * n, (row + 1) * n), k).forEach((at, i) => {
        indices[row * k + i] = at;
        values.data[row * k + i] = x.data[row * n + at] ?? 0;
      });
    return [values, { dtype: "i32", shape: values.shape, data: indices }];
  },
};
