import { dimAttr, dimList, dtypeAttr, int, ints } from "../attributes.ts";
import { defineOp } from "../define-op.ts";
import { subtractDims } from "../dim.ts";
import { formatDims, sizeOf } from "../types.ts";

const free = () => 0;

/**
 * Operators that ranks run together. `group` lists the ranks that take part, in the order in which they are summed and joined; each
 * of them runs the operator at the same point of its own program.
 */
export const collectiveOps = {
  allReduce: defineOp({
    summary: "the sum of every rank's x, on all of them; summed in the order of the group",
    operands: ["x"],
    results: ["out"],
    attrs: { group: ints },
    infer: ([x]) => (x?.dtype === "f32" ? [x] : "x must be f32"),
    flops: ([x], { group }, named) => (group.length - 1) * sizeOf(x?.dims ?? [], named),
  }),
  reduceScatter: defineOp({
    summary:
      "elements begin..end along one axis of the sum of every rank's x; each rank has bounds of its own",
    operands: ["x"],
    results: ["out"],
    attrs: { group: ints, axis: int, begin: dimAttr, end: dimAttr },
    infer: ([x], { axis, begin, end }) =>
      x?.dtype === "f32" && x.dims[axis] !== undefined
        ? [{ dtype: x.dtype, dims: x.dims.with(axis, subtractDims(end, begin)) }]
        : `x must be f32 and have an axis ${axis}`,
    flops: ([x], { group }, named) => (group.length - 1) * sizeOf(x?.dims ?? [], named),
  }),
  allGather: defineOp({
    summary:
      "every rank's x one after another along an axis, on all of them; parts may differ, `size` is their sum",
    operands: ["x"],
    results: ["out"],
    attrs: { group: ints, axis: int, size: dimAttr },
    infer: ([x], { axis, size }) =>
      x?.dims[axis] === undefined
        ? `has no axis ${axis}`
        : [{ dtype: x.dtype, dims: x.dims.with(axis, size) }],
    flops: free,
  }),
  dispatch: defineOp({
    summary:
      "each row of x to the ranks that hold its experts, once to each. Rank i of the group holds in its slots 0, 1, … the experts held[starts[i]..starts[i+1]]; of an expert's holders, a row takes its own rank if it is one, else one that it goes to in any case, else so that it goes to few; of equals, row r of rank i takes the one numbered i + r, around. What arrives, by sender and row: rows, their slots (-1 for those of other ranks), the weights of these, and from whom: rank of the group and row. `count` names how many",
    operands: ["x", "indices", "weights"],
    results: ["rows", "slots", "shares", "from"],
    attrs: { group: ints, held: ints, starts: ints, count: dimAttr },
    infer: ([x, indices, weights], { group, held, starts, count }) => {
      const [s, width] = x?.dims ?? [];
      const [rows, k] = indices?.dims ?? [];
      if (!x || x.dtype !== "f32" || width === undefined || x.dims.length !== 2)
        return "x must be f32 [S, width]";
      if (
        rows !== s ||
        k === undefined ||
        formatDims(indices?.dims ?? []) !== formatDims(weights?.dims ?? [])
      )
        return "indices and weights must be [S, k]";
      if (starts.length !== group.length + 1 || starts.at(-1) !== held.length)
        return `starts must be ${group.length + 1} numbers up to ${held.length}`;
      return [
        { dtype: "f32", dims: [count, width] },
        { dtype: "i32", dims: [count, k] },
        { dtype: "f32", dims: [count, k] },
        { dtype: "i32", dims: [count, 2] },
      ];
    },
    flops: free,
  }),
  combine: defineOp({
    summary:
      "rows that were dispatched, back to where they came from: out[r] is the sum of what came for row r, in the order of the group, or zero; `size` is how many rows this rank sent from",
    operands: ["rows", "from"],
    results: ["out"],
    attrs: { group: ints, size: dimAttr },
    infer: ([rows, from], { size }) => {
      const [arrived, width] = rows?.dims ?? [];
      if (rows?.dtype !== "f32" || width === undefined || rows.dims.length !== 2)
        return "rows must be f32 [n, width]";
      if (from?.dtype !== "i32" || from.dims[0] !== arrived || from.dims[1] !== 2)
        return "from must be i32 [n, 2]";
      return [{ dtype: "f32", dims: [size, width] }];
    },
    flops: ([rows], _, named) => sizeOf(rows?.dims ?? [], named),
  }),
  send: defineOp({
    summary: "x to the second rank of the group, which receives it; gives x",
    operands: ["x"],
    results: ["out"],
    attrs: { group: ints },
    infer: ([x], { group }) => (x && group.length === 2 ? [x] : "the group must be sender and receiver"),
    flops: free,
  }),
  recv: defineOp({
    summary: "what the first rank of the group sends",
    operands: [],
    results: ["out"],
    attrs: { group: ints, dtype: dtypeAttr, dims: dimList },
    infer: (_, { group, dtype, dims }) =>
      group.length === 2 ? [{ dtype, dims }] : "the group must be sender and receiver",
    flops: free,
  }),
} as const;

export type CollectiveName = keyof typeof collectiveOps;
export const isCollective = (op: string): op is CollectiveName => Object.hasOwn(collectiveOps, op);
