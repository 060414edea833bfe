import { dimAttr, dimList, dtypeAttr, int, ints, recipeAttr, values } from "../attributes.ts";
import { defineOp } from "../define-op.ts";
import { recipeFault } from "../../tensor/recipe.ts";
import { addDims, atLeast, mayEqual, productOf, subtractDims, type Dim } from "../dim.ts";
import { formatDims, sizeOf } from "../types.ts";

const free = () => 0;

/** Whether begin..end leaves an axis for all values of the named dims; what depends on them shows when it runs. */
const outside = (begin: Dim, end: Dim, size: Dim): boolean =>
  [
    [0, begin],
    [begin, end],
    [end, size],
  ].some(([low = 0, high = 0]) => low !== high && atLeast(low, high));

export const shapeOps = {
  weight: defineOp({
    summary: "a constant made from checkpoint tensors by its recipe",
    operands: [],
    results: ["out"],
    attrs: { recipe: recipeAttr },
    infer: (_, { recipe }) => recipeFault(recipe) ?? [{ dtype: recipe.dtype, dims: recipe.shape }],
    flops: free,
  }),
  constant: defineOp({
    summary: "a small constant given in full",
    operands: [],
    results: ["out"],
    attrs: { dtype: dtypeAttr, dims: ints, values },
    infer: (_, { dtype, dims, values }) =>
      sizeOf(dims) === values.length ? [{ dtype, dims }] : `${values.length} values for ${formatDims(dims)}`,
    flops: free,
  }),
  extent: defineOp({
    summary: "whole numbers that are known once the named dims are",
    operands: [],
    results: ["out"],
    attrs: { dtype: dtypeAttr, dims: ints, values: dimList },
    infer: (_, { dtype, dims, values }) =>
      sizeOf(dims) === values.length ? [{ dtype, dims }] : `${values.length} values for ${formatDims(dims)}`,
    flops: free,
  }),
  reshape: defineOp({
    summary: "the same elements in another shape",
    operands: ["x"],
    results: ["out"],
    attrs: { dims: dimList },
    infer: ([x], { dims }) => {
      if (!x) return "needs one operand";
      if (!mayEqual(productOf(x.dims), productOf(dims)))
        return `${formatDims(x.dims)} has not as many elements as ${formatDims(dims)}`;
      return [{ dtype: x.dtype, dims }];
    },
    flops: free,
  }),
  transpose: defineOp({
    summary: "axes in the order of perm",
    operands: ["x"],
    results: ["out"],
    attrs: { perm: ints },
    infer: ([x], { perm }) => {
      if (!x) return "needs one operand";
      const dims: Dim[] = [];
      for (const axis of perm) {
        const d = x.dims[axis];
        if (d === undefined) return `perm names axis ${axis} of ${formatDims(x.dims)}`;
        dims.push(d);
      }
      if (new Set(perm).size !== x.dims.length || perm.length !== x.dims.length)
        return `perm must name each of ${x.dims.length} axes once`;
      return [{ dtype: x.dtype, dims }];
    },
    flops: free,
  }),
  slice: defineOp({
    summary: "elements begin..end of one axis",
    operands: ["x"],
    results: ["out"],
    attrs: { axis: int, begin: dimAttr, end: dimAttr },
    infer: ([x], { axis, begin, end }) => {
      const size = x?.dims[axis];
      if (!x || size === undefined) return `has no axis ${axis}`;
      if (outside(begin, end, size)) return `${begin}..${end} is not inside an axis of ${size}`;
      return [{ dtype: x.dtype, dims: x.dims.with(axis, subtractDims(end, begin)) }];
    },
    flops: free,
  }),
  concat: defineOp({
    summary: "operands one after another along an axis",
    operands: ["parts..."],
    results: ["out"],
    attrs: { axis: int },
    infer: (parts, { axis }) => {
      const [first, ...rest] = parts;
      let total = first?.dims[axis];
      if (!first || total === undefined) return `has no axis ${axis}`;
      for (const part of rest) {
        const size = part.dims[axis];
        const fits = part.dims.every((d, i) => i === axis || mayEqual(d, first.dims[i] ?? 1));
        if (
          size === undefined ||
          part.dtype !== first.dtype ||
          !fits ||
          part.dims.length !== first.dims.length
        )
          return `${formatDims(part.dims)} does not continue ${formatDims(first.dims)} along axis ${axis}`;
        total = addDims(total, size);
      }
      return [{ dtype: first.dtype, dims: first.dims.with(axis, total) }];
    },
    flops: free,
  }),
  broadcast: defineOp({
    summary: "x repeated to a larger shape, as numpy broadcasts",
    operands: ["x"],
    results: ["out"],
    attrs: { dims: dimList },
    infer: ([x], { dims }) => {
      if (!x) return "needs one operand";
      const shift = dims.length - x.dims.length;
      if (shift < 0 || !x.dims.every((d, i) => d === 1 || mayEqual(d, dims[i + shift] ?? 1)))
        return `${formatDims(x.dims)} does not broadcast to ${formatDims(dims)}`;
      return [{ dtype: x.dtype, dims }];
    },
    flops: free,
  }),
  gather: defineOp({
    summary: "rows of a table by index: out[i] = table[ids[i]], as float32",
    operands: ["table", "ids"],
    results: ["out"],
    attrs: {},
    infer: ([table, ids]) => {
      if (!table || !ids || table.dims.length !== 2 || ids.dims.length !== 1)
        return "needs a table [rows, width] and ids [n]";
      return [{ dtype: "f32", dims: [ids.dims[0] ?? 0, table.dims[1] ?? 0] }];
    },
    flops: free,
  }),
  cacheAppend: defineOp({
    summary: "the rows of this call behind the rows of the cache",
    operands: ["cache", "rows"],
    results: ["out"],
    attrs: {},
    infer: ([cache, rows]) => {
      if (!cache || !rows) return "needs a cache and rows";
      if (formatDims(cache.dims.slice(1)) !== formatDims(rows.dims.slice(1)) || cache.dtype !== rows.dtype)
        return `rows ${formatDims(rows.dims)} do not fit a cache ${formatDims(cache.dims)}`;
      return [
        { dtype: cache.dtype, dims: [addDims(cache.dims[0] ?? 0, rows.dims[0] ?? 0), ...rows.dims.slice(1)] },
      ];
    },
    flops: free,
  }),
} as const;
