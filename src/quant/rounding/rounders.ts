import type { Quantized, WeightFormat } from "../../tensor/format.ts";
import { roundOnGrid, searchGrid } from "./clip.ts";
import { awq, smooth, type Balancer } from "../balance.ts";
import { coupledGptq } from "../gptq/coupled.ts";
import { gptq } from "../gptq/gptq.ts";
import { roundToNearest } from "./nearest.ts";
import { refine } from "../gptq/refine.ts";

/** A matrix [rows, cols] and what is known of its use: second moments of what it multiplies, and of the gradients of what it gives. */
export type KnownMatrix = {
  readonly w: Float32Array;
  readonly rows: number;
  readonly cols: number;
  readonly inputs: Float64Array;
  readonly outputs?: Float64Array;
};

export type Rounder = (matrix: KnownMatrix, format: WeightFormat) => Quantized;

const onSearchedGrid = ({ w, rows, cols }: KnownMatrix, format: WeightFormat, importance?: Float64Array) =>
  roundOnGrid(w, rows, cols, format, searchGrid(w, rows, cols, format, importance));

/** Rounding to nearest, its scales found for the columns that matter: those whose activations are large. */
const byImportance: Rounder = (matrix, format) =>
  onSearchedGrid(
    matrix,
    format,
    Float64Array.from({ length: matrix.cols }, (_, i) => matrix.inputs[i * matrix.cols + i] ?? 0),
  );

/** How a matrix can be rounded once it is known what it meets. */
const rounders = {
  nearest: ({ w, rows, cols }, format) => roundToNearest(w, rows, cols, format),
  clipped: (matrix, format) => onSearchedGrid(matrix, format),
  importance: byImportance,
  gptq: ({ w, rows, cols, inputs, outputs }, format) =>
    outputs
      ? coupledGptq(w, rows, cols, inputs, outputs, format)
      : refine(w, rows, cols, inputs, format, gptq(w, rows, cols, inputs, format)),
} as const satisfies Record<string, Rounder>;

/** Ways to quantize: how channels are scaled before, and how matrices are rounded then. */
const methods = {
  nearest: { round: rounders.nearest },
  clipped: { round: rounders.clipped },
  importance: { round: rounders.importance },
  gptq: { round: rounders.gptq },
  awq: { balance: awq, round: rounders.clipped },
  "awq-gptq": { balance: awq, round: rounders.gptq },
  smooth: { balance: smooth, round: rounders.clipped },
} as const satisfies Record<string, Method>;

export type Method = { readonly balance?: Balancer; readonly round: Rounder };
export type RoundingName = keyof typeof methods;
export const roundingNames = Object.keys(methods) as RoundingName[]; // Object.keys forgets the key type
export const methodOf = (name: RoundingName): Method => methods[name];
