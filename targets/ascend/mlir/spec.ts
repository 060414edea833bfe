/** What a matrix kernel for the cube computes, as plain data: all that the emitter needs to know. */
import type { DType } from "../../../src/tensor/dtype.ts";

/** What the cube multiplies: floats accumulate in f32, bytes in i32. */
export type Operand = Extract<DType, "bf16" | "f16" | "i8">;
export type Output = Extract<DType, "bf16" | "f16" | "f32" | "i32">;

/** One step of a core: m rows and n columns of the result, k of the sum held in L1 at a time. */
export type Tile = { readonly m: number; readonly n: number; readonly k: number };

/** How often a buffer exists, so that one is filled while another is read. The compiler cannot double L0C alone. */
export type Copies = { readonly l1: 1; readonly l0c: 1 } | { readonly l1: 2; readonly l0c: 1 | 2 };

/**
 * Which rows meet which matrix.
 * `one`: x [rows, k] and one matrix; the number of rows is an argument.
 * `grouped`: rows sorted by matrix, `offsets` [matrices + 1] in memory says where those of each begin; groups may be empty.
 * `heads`: x [rows, matrices, k], each head with a matrix of its own; the number of rows is an argument.
 */
export type Rows =
  | { readonly kind: "one" }
  | { readonly kind: "grouped"; readonly matrices: number }
  | { readonly kind: "heads"; readonly matrices: number };

/** A product out = x @ w^T, and what is done to it before it is stored. */
export type MatmulSpec = {
  readonly rows: Rows;
  readonly n: number;
  readonly k: number;
  readonly input: Operand;
  readonly output: Output;
  /** How a matrix lies in memory: `nk` as checkpoints have it, [n, k], or `kn`. */
  readonly weight: "nk" | "kn";
  /** i8 only: times the scale of the column, then of the row, both f32. */
  readonly dequantize: boolean;
  /** Plus an f32 bias of the column. */
  readonly bias: boolean;
  readonly tile: Tile;
  readonly copies: Copies;
};

/** What the vector cores have to do, which makes the kernel one of both kinds of cores. */
export const isMixed = ({ dequantize, bias }: MatmulSpec): boolean => dequantize || bias;

export const accumulatorOf = (input: Operand): "f32" | "i32" => (input === "i8" ? "i32" : "f32");

export const matricesOf = (rows: Rows): number => (rows.kind === "one" ? 1 : rows.matrices);

/** The symbol of a kernel: its shape, dtypes and tile, in letters that MLIR and file systems take. */
export function kernelName(spec: MatmulSpec): string {
  const { rows, n, k, input, output, weight, dequantize, bias, tile, copies } = spec;
  const kind = rows.kind === "one" ? "gemm" : `${rows.kind}${rows.matrices}`;
  const epilogue = `${dequantize ? "_dequantize" : ""}${bias ? "_bias" : ""}`;
  return `${kind}_${n}x${k}_${input}_${output}${weight === "kn" ? "_kn" : ""}${epilogue}_t${tile.m}x${tile.n}x${tile.k}_l1x${copies.l1}_l0cx${copies.l0c}`;
}
