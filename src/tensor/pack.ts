/**
 * The packed layout of a weight matrix [rows, cols]: blocks of 16 rows; in a block column after column of units, and a unit
 * holds one 32-bit word of each row: one f32, or two consecutive bf16 (the even column in the low half).
 * Rows are filled up to 16 and odd bf16 columns to even with zeros. So packing is a transposition of 32-bit words.
 */
export type PackedType = "bf16" | "f32";

export const blockRows = 16;

/** 32-bit words of one row. */
export const packedWords = (dtype: PackedType, cols: number): number =>
  dtype === "bf16" ? Math.ceil(cols / 2) : cols;

/** Bytes that a packed matrix takes. */
export const packedBytes = (dtype: PackedType, rows: number, cols: number): number =>
  Math.ceil(rows / blockRows) * packedWords(dtype, cols) * blockRows * 4;
