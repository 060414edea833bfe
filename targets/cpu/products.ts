import type { Value } from "../../src/ir/graph.ts";
import type { Arg, Extent } from "../../src/plan/program/program.ts";
import { codesWidth } from "./kernels/quantize.ts";
import type { CodedWeight, WeightFormat } from "./kernels/spec.ts";
import type { LoweringContext } from "./lower.ts";
import { address, blocks, count, flat, literal, rowsOf, weightArg, type Flat, type Rule } from "./steps.ts";
import { fixed, rowStride, type View } from "../../src/plan/views.ts";

/** A weight matrix as a matrix kernel takes it: how it lies, and the arguments that say where. */
export type Matrix<Format> = { readonly format: Format; readonly args: readonly Arg[] };

/** The matrix of an operand: its codes where it is quantized, else its elements. */
export function matrixOf(cx: LoweringContext, value: Value | undefined): Matrix<WeightFormat> {
  const coded = cx.coded(value);
  if (!coded) return plainMatrix(cx, value);
  const { codes, scales, zeros, group } = coded;
  return {
    format: { weight: codes.dtype, group, scale: scales.dtype, zero: zeros !== undefined },
    args: [codes, scales, ...(zeros ? [zeros] : [])].map(weightArg),
  };
}

/** The matrix of an operand as its elements. */
function plainMatrix(cx: LoweringContext, value: Value | undefined): Matrix<WeightFormat> {
  const weight = cx.weight(value, "packed");
  return { format: { weight: weight.dtype }, args: [weightArg(weight)] };
}

/** The matrix of two operands, codes and scales. */
export function integerMatrix(
  cx: LoweringContext,
  codes: Value | undefined,
  scales: Value | undefined,
  { group, bits }: { readonly group: number; readonly bits: number },
): Matrix<CodedWeight> {
  const [w, s] = [cx.codes(codes, bits), cx.scales(scales)];
  return { format: { weight: w.dtype, group, scale: s.dtype }, args: [weightArg(w), weightArg(s)] };
}

/** Rows rounded to int8, and the scale of each. */
export type RoundedRows = { readonly codes: View; readonly scales: View };

/** Round rows of `width` floats to int8. `name` tells the buffers of one operator apart. */
export function roundRows(
  cx: LoweringContext,
  from: View,
  width: number,
  rows: Extent,
  name: string,
): RoundedRows {
  const codes = cx.scratchBuffer(`${name}.codes`, rows, codesWidth(width));
  const scales = cx.scratchBuffer(`${name}.scales`, rows, 4);
  cx.step(
    { kind: "quantizeRows", k: width, ldx: rowStride(from) },
    [address(from), address(codes), address(scales), count(rows)],
    rows,
  );
  return { codes, scales };
}

/** Rotate rows, each `block` of their elements together. */
export function rotateRows(cx: LoweringContext, from: Flat, to: View, block: number): void {
  cx.step(
    { kind: "hadamard", n: from.width, ldx: rowStride(from.view), block },
    [address(from.view), address(to), count(from.rows)],
    from.rows,
  );
}

export const hadamard: Rule<"hadamard"> = (cx, { operands: [x], results: [out], attrs: { block } }) =>
  rotateRows(cx, flat(cx, x), cx.output(out), block);

const biasArg = (cx: LoweringContext, bias: Value | undefined): Arg =>
  bias ? weightArg(cx.weight(bias, "vector")) : literal(0);

export const linear: Rule<"linear"> = (cx, { operands: [x, w, bias], results: [out] }) => {
  const input = flat(cx, x);
  const { format, args } = matrixOf(cx, w);
  const to = cx.output(out);
  const n = fixed(out?.type.dims.at(-1), "linear");
  const shape = { k: input.width, n, ldx: rowStride(input.view), ldo: n };
  cx.step(
    { kind: "linear", ...format, ...shape, bias: bias !== undefined },
    [...args, address(input.view), biasArg(cx, bias), address(to), count(input.rows)],
    blocks(n),
  );
};

export const integerLinear: Rule<"integerLinear"> = (cx, node) => {
  const [x, codes, scales, bias] = node.operands;
  const [out] = node.results;
  const input = flat(cx, x);
  const rounded = roundRows(cx, input.view, input.width, input.rows, "x");
  const { format, args } = integerMatrix(cx, codes, scales, node.attrs);
  const to = cx.output(out);
  const n = fixed(out?.type.dims.at(-1), "integerLinear");
  cx.step(
    { kind: "integerLinear", ...format, k: input.width, n, ldo: n, bias: bias !== undefined },
    [
      ...args,
      address(rounded.codes),
      address(rounded.scales),
      biasArg(cx, bias),
      address(to),
      count(input.rows),
    ],
    blocks(n),
  );
};

/** What it gives is rounded where activations are: there each weight is a float32 before the sum, as on devices, lest codes differ. */
export const headLinear: Rule<"headLinear"> = (cx, { operands: [x, w], results: [out] }) => {
  const input = cx.view(x);
  const { format, args } = cx.roundsActivations ? plainMatrix(cx, w) : matrixOf(cx, w);
  const to = cx.output(out);
  const [, heads = 1, k = 1] = input.dims.map((d, i) => (i === 0 ? 0 : fixed(d, "headLinear")));
  cx.step(
    {
      kind: "headLinear",
      ...format,
      heads,
      k,
      n: fixed(to.dims[2], "headLinear"),
      ldx: rowStride(input),
      ldo: rowStride(to),
      headStrideX: input.strides[1] ?? 0,
      headStrideOut: to.strides[1] ?? 0,
    },
    [...args, address(input), address(to), count(rowsOf(to))],
    { times: heads, dim: "1" },
  );
};
