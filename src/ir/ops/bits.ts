import { dtypeAttr } from "../attributes.ts";
import { defineOp } from "../define-op.ts";
import { dtypes } from "../../tensor/dtype.ts";
import { broadcastDims, sizeOf } from "../types.ts";

const binary = (summary: string) =>
  defineOp({
    summary,
    operands: ["a", "b"],
    results: ["out"],
    attrs: {},
    infer: ([a, b]) => {
      const dims = a && b && a.dtype === b.dtype && broadcastDims(a.dims, b.dims);
      return dims ? [{ dtype: a.dtype, dims }] : "operands must be of one dtype and broadcast";
    },
    flops: ([a, b], _, named) => Math.max(sizeOf(a?.dims ?? [], named), sizeOf(b?.dims ?? [], named)),
  });

/** Operators on the bits of elements. */
export const bitOps = {
  bitAnd: binary("bits set in both"),
  bitOr: binary("bits set in either"),
  bitXor: binary("bits set in one of both"),
  bitNot: defineOp({
    summary: "bits turned over",
    operands: ["x"],
    results: ["out"],
    attrs: {},
    infer: ([x]) => (x ? [x] : "needs one operand"),
    flops: ([x], _, named) => sizeOf(x?.dims ?? [], named),
  }),
  shiftLeft: binary("bits of a moved up by b"),
  shiftRight: binary("bits of a moved down by b"),
  bitcast: defineOp({
    summary: "the same bits read as another dtype of the same width",
    operands: ["x"],
    results: ["out"],
    attrs: { dtype: dtypeAttr },
    infer: ([x], { dtype }) => {
      if (!x) return "needs one operand";
      return dtypes[x.dtype].bits === dtypes[dtype].bits
        ? [{ dtype, dims: x.dims }]
        : `${x.dtype} and ${dtype} are not of one width`;
    },
    flops: () => 0,
  }),
} as const;
