/**
 * The packed layout of a weight matrix [rows, cols]: blocks of 16 rows; in a block column after column of units, and a unit
 * holds one 32-bit word of each row: one f32, two consecutive bf16 (the even column in the low half), four consecutive i8
 * (the first in the lowest byte) or f8e8m0, or eight consecutive i4 or f4e2m1 (byte i holds column i in its low half, column i + 4 in
 * its high half).
 * Rows are filled up to 16 and columns to whole words with zeros. So packing is a transposition of 32-bit words.
 */
export type PackedType = "bf16" | "f32" | "f8e8m0" | "i8" | "i4" | "f4e2m1";

export const blockRows = 16;

/** Columns that one 32-bit word holds. */
export const wordColumns: { readonly [T in PackedType]: number } = {
  f32: 1,
  bf16: 2,
  f8e8m0: 4,
  i8: 4,
  i4: 8,
  f4e2m1: 8,
};

/** Bytes of one element before packing: i4 come one to a byte, f4e2m1 two, the first in the low half. */
export const looseBytes: { readonly [T in PackedType]: number } = {
  f32: 4,
  bf16: 2,
  f8e8m0: 1,
  i8: 1,
  i4: 1,
  f4e2m1: 0.5,
};

/** 32-bit words of one row. */
export const packedWords = (dtype: PackedType, cols: number): number => Math.ceil(cols / wordColumns[dtype]);

/** Bytes that a packed matrix takes. */
export const packedBytes = (dtype: PackedType, rows: number, cols: number): number =>
  Math.ceil(rows / blockRows) * packedWords(dtype, cols) * blockRows * 4;
