import { int } from "../attributes.ts";
import { defineOp } from "../define-op.ts";
import { formatDims, sizeOf, type TensorType } from "../types.ts";

/** Whether `scales` has one entry for each row of `codes` and group of columns. */
const scaled = (codes: TensorType | undefined, scales: TensorType | undefined, group: number): boolean =>
  (codes?.dtype === "i8" || codes?.dtype === "f4e2m1") &&
  scales?.dims.at(-1) === Math.ceil(Number(codes.dims.at(-1)) / group) &&
  formatDims(codes.dims.slice(0, -1)) === formatDims(scales.dims.slice(0, -1));

/**
 * Products of int8 activations and integer weights. x is rounded row by row: scale max |x| / 127 (1 for a row of zeros), codes to
 * nearest even. A group's products are summed exactly; everything behind is float32, rounded after each step.
 */
export const quantizedOps = {
  quantizeRows: defineOp({
    summary:
      "each row, the last axis, as int8 and one scale: max |x| / 127 (1 for a row of zeros), codes to nearest even of the float32 quotient, kept within -127 … 127",
    operands: ["x"],
    results: ["codes", "scales"],
    attrs: {},
    infer: ([x]) =>
      x && x.dims.length > 1
        ? [
            { dtype: "i8", dims: x.dims },
            { dtype: "f32", dims: x.dims.slice(0, -1) },
          ]
        : "x must have rows",
    flops: ([x], _, named) => 3 * sizeOf(x?.dims ?? [], named),
  }),
  dequantizeRows: defineOp({
    summary: "codes times the scale of their row, in float32",
    operands: ["codes", "scales"],
    results: ["out"],
    attrs: {},
    infer: ([codes, scales]) =>
      codes?.dtype === "i8" && formatDims(codes.dims.slice(0, -1)) === formatDims(scales?.dims ?? [])
        ? [{ dtype: "f32", dims: codes.dims }]
        : "codes must be i8 with a scale for each row",
    flops: ([codes], _, named) => sizeOf(codes?.dims ?? [], named),
  }),
  hadamard: defineOp({
    summary:
      "each `block` consecutive elements of the last axis times Sylvester's Hadamard matrix over sqrt(block), which is its own inverse",
    operands: ["x"],
    results: ["out"],
    attrs: { block: int },
    infer: ([x], { block }) => {
      const isPower = block > 0 && (block & (block - 1)) === 0;
      return x && isPower && Number(x.dims.at(-1)) % block === 0
        ? [x]
        : `rows must divide into powers of two, not ${block}`;
    },
    flops: ([x], { block }, named) => (Math.log2(Number(block)) + 1) * sizeOf(x?.dims ?? [], named),
  }),
  integerLinear: defineOp({
    summary:
      "x @ (codes * scales)^T + bias with x rounded to int8 a row; codes [out, in] are signed bytes of which `bits` count or f4e2m1, scales [out, groups] one for each `group` columns: f32 sum over groups of (exact integer sum * scale), times the scale of the row of x, plus bias",
    operands: ["x", "codes", "scales", "bias?"],
    results: ["out"],
    attrs: { group: int, bits: int },
    infer: ([x, codes, scales, bias], { group }) => {
      const [n, k] = codes?.dims ?? [];
      if (!x || n === undefined || codes?.dims.length !== 2 || x.dims.at(-1) !== k)
        return "codes must be [out, in], in as x is wide";
      if (!scaled(codes, scales, group)) return `scales do not fit groups of ${group}`;
      if (bias && (bias.dims.length !== 1 || bias.dims[0] !== n)) return `bias must be [${n}]`;
      return [{ dtype: "f32", dims: [...x.dims.slice(0, -1), n] }];
    },
    flops: ([x, codes], _, named) => 2 * sizeOf(x?.dims ?? [], named) * Number(codes?.dims[0] ?? 0),
  }),
  integerExperts: defineOp({
    summary:
      "experts with products as in integerLinear: x and each silu(gate) * up rounded to int8 a row, the latter with each `downRotation` elements rotated as hadamard does; gateUp and down are codes with their scales",
    operands: ["x", "indices", "weights", "gateUp", "gateUpScales", "down", "downScales"],
    results: ["out"],
    attrs: { gateUpGroup: int, gateUpBits: int, downGroup: int, downBits: int, downRotation: int },
    infer: ([x, indices, weights, gateUp, gateUpScales, down, downScales], { gateUpGroup, downGroup }) => {
      const [experts, inner2, width] = gateUp?.dims ?? [];
      if (!x || x.dims[1] !== width || down?.dims[0] !== experts || down?.dims[1] !== width)
        return "gateUp [experts, 2 inner, width] and down [experts, width, inner] must agree with x";
      if (Number(down?.dims[2]) * 2 !== inner2) return "gateUp must be twice as tall as down is wide";
      if (!scaled(gateUp, gateUpScales, gateUpGroup) || !scaled(down, downScales, downGroup))
        return `scales do not fit groups of ${gateUpGroup} and ${downGroup}`;
      if (!indices || formatDims(indices.dims) !== formatDims(weights?.dims ?? []))
        return "indices and weights must be of one shape";
      return [x];
    },
    flops: ([x, indices, , , , down], _, named) =>
      6 * sizeOf(x?.dims ?? [], named) * Number(indices?.dims[1] ?? 0) * Number(down?.dims[2] ?? 0),
  }),
} as const;
