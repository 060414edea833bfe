import { choice, dimAttr, dimList, dtypeAttr, int } from "../attributes.ts";
import { addDims, atLeast } from "../dim.ts";
import { defineOp } from "../define-op.ts";
import { broadcastDims, formatDims, sizeOf } from "../types.ts";

/** Operators on conditions, indices and order. */
export const selectOps = {
  cast: defineOp({
    summary: "x in another dtype; true is 1, floats lose their fraction on the way to integers",
    operands: ["x"],
    results: ["out"],
    attrs: { dtype: dtypeAttr },
    infer: ([x], { dtype }) => (x ? [{ dtype, dims: x.dims }] : "needs one operand"),
    flops: () => 0,
  }),
  iota: defineOp({
    summary: "the index along one axis: 0, 1, 2, …",
    operands: [],
    results: ["out"],
    attrs: { dims: dimList, axis: int },
    infer: (_, { dims, axis }) =>
      dims[axis] === undefined ? `${formatDims(dims)} has no axis ${axis}` : [{ dtype: "i32", dims }],
    flops: () => 0,
  }),
  compare: defineOp({
    summary: "whether a and b compare so, element by element, broadcast as numpy does",
    operands: ["a", "b"],
    results: ["out"],
    attrs: { how: choice("equal", "less", "lessOrEqual", "greater", "greaterOrEqual") },
    infer: ([a, b]) => {
      const dims = a && b && a.dtype === b.dtype && broadcastDims(a.dims, b.dims);
      return dims ? [{ dtype: "bool", dims }] : "operands must be of one dtype and broadcast";
    },
    flops: ([a, b], _, named) => Math.max(sizeOf(a?.dims ?? [], named), sizeOf(b?.dims ?? [], named)),
  }),
  select: defineOp({
    summary: "a where the condition holds, else b; all broadcast as numpy does",
    operands: ["condition", "a", "b"],
    results: ["out"],
    attrs: {},
    infer: ([condition, a, b]) => {
      if (!condition || !a || !b || condition.dtype !== "bool" || a.dtype !== b.dtype)
        return "needs a bool condition and two operands of one dtype";
      const both = broadcastDims(a.dims, b.dims);
      const dims = both && broadcastDims(condition.dims, both);
      return dims ? [{ dtype: a.dtype, dims }] : "operands do not broadcast";
    },
    flops: ([condition], _, named) => sizeOf(condition?.dims ?? [], named),
  }),
  topK: defineOp({
    summary: "the k largest of the last axis, best first, and where they stood; of equals the lower index",
    operands: ["x"],
    results: ["values", "indices"],
    attrs: { k: dimAttr },
    infer: ([x], { k }) => {
      const size = x?.dims.at(-1);
      if (!x || size === undefined || atLeast(-1, k) || atLeast(k, addDims(size, 1)))
        return `cannot take ${k} of ${formatDims(x?.dims ?? [])}`;
      const dims = x.dims.with(-1, k);
      return [
        { dtype: x.dtype, dims },
        { dtype: "i32", dims },
      ];
    },
    flops: ([x], _, named) => 2 * sizeOf(x?.dims ?? [], named),
  }),
} as const;
