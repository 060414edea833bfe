import { choice, dimAttr, int } from "../attributes.ts";
import { defineOp } from "../define-op.ts";
import { formatDims, sizeOf, type TensorType } from "../types.ts";

const free = () => 0;
const isInteger = (t: TensorType | undefined): boolean => t?.dtype === "i32" || t?.dtype === "i64";
/** What a scattered update does to the element it meets. */
const how = choice("set", "add", "mul", "max", "min");

/** Operators that read and write by index. A negative index counts from the end of its axis. */
export const gatherOps = {
  take: defineOp({
    summary: "slices of one axis by index: that axis becomes the axes of the indices",
    operands: ["x", "indices"],
    results: ["out"],
    attrs: { axis: int },
    infer: ([x, indices], { axis }) => {
      if (!x || !indices || x.dims[axis] === undefined) return `has no axis ${axis}`;
      if (!isInteger(indices)) return "indices must be i32 or i64";
      return [{ dtype: x.dtype, dims: x.dims.toSpliced(axis, 1, ...indices.dims) }];
    },
    flops: free,
  }),
  takeAlong: defineOp({
    summary: "one element for each index, the other coordinates being the index's own",
    operands: ["x", "indices"],
    results: ["out"],
    attrs: { axis: int },
    infer: ([x, indices], { axis }) => {
      if (!x || !indices || x.dims[axis] === undefined) return `has no axis ${axis}`;
      if (!isInteger(indices) || indices.dims.length !== x.dims.length)
        return "indices must be i32 or i64 and of x's rank";
      return [{ dtype: x.dtype, dims: indices.dims }];
    },
    flops: free,
  }),
  scatterAlong: defineOp({
    summary: "x with one element changed for each index, the other coordinates being the index's own",
    operands: ["x", "indices", "updates"],
    results: ["out"],
    attrs: { axis: int, how },
    infer: ([x, indices, updates], { axis }) => {
      if (!x || !indices || !updates || x.dims[axis] === undefined) return `has no axis ${axis}`;
      if (!isInteger(indices) || formatDims(indices.dims) !== formatDims(updates.dims))
        return "indices must be i32 or i64 and of the shape of the updates";
      if (updates.dtype !== x.dtype || updates.dims.length !== x.dims.length)
        return "updates must be of x's dtype and rank";
      return [x];
    },
    flops: ([, , updates], _, named) => sizeOf(updates?.dims ?? [], named),
  }),
  scatterRows: defineOp({
    summary: "x with the rows of its first axis changed that the indices name, one after another",
    operands: ["x", "indices", "updates"],
    results: ["out"],
    attrs: { how },
    infer: ([x, indices, updates]) => {
      if (!x || !indices || !updates) return "needs x, indices and updates";
      if (!isInteger(indices) || indices.dims.length !== 1) return "indices must be i32 or i64 and a vector";
      const wanted = [...indices.dims, ...x.dims.slice(1)];
      if (updates.dtype !== x.dtype || formatDims(updates.dims) !== formatDims(wanted))
        return `updates must be ${x.dtype}${formatDims(wanted)}`;
      return [x];
    },
    flops: ([, , updates], _, named) => sizeOf(updates?.dims ?? [], named),
  }),
  nonZero: defineOp({
    summary: "the coordinates of the elements that are not zero, in row-major order; `count` names how many",
    operands: ["x"],
    results: ["coordinates"],
    attrs: { count: dimAttr },
    infer: ([x], { count }) => (x ? [{ dtype: "i64", dims: [x.dims.length, count] }] : "needs one operand"),
    flops: free,
  }),
  unique: defineOp({
    summary:
      "the different rows of x, where each stands first, which of them each row is, and how often; `count` names how many",
    operands: ["x"],
    results: ["rows", "first", "inverse", "counts"],
    attrs: { order: choice("sorted", "seen"), count: dimAttr },
    infer: ([x], { count }) => {
      const [rows, width] = x?.dims ?? [];
      if (!x || rows === undefined || width === undefined || x.dims.length !== 2)
        return "x must be [rows, width]";
      return [
        { dtype: x.dtype, dims: [count, width] },
        { dtype: "i64", dims: [count] },
        { dtype: "i64", dims: [rows] },
        { dtype: "i64", dims: [count] },
      ];
    },
    flops: free,
  }),
} as const;
