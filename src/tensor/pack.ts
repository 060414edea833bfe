/**
 * The packed layout of matrices for the CPU kernels. 16 rows make a block; a block is a run of 64-byte units, and a unit
 * holds one 32-bit word of each row: one f32, or two consecutive bf16 (the even column in the low half).
 * Rows are filled up to 16 and odd bf16 columns to even with zeros. So packing is a transposition of 32-bit words.
 */
export type PackedType = "bf16" | "f32";

/** Words of one row. */
const words = (dtype: PackedType, cols: number): number => (dtype === "bf16" ? Math.ceil(cols / 2) : cols);

/** Bytes that a packed matrix takes. */
export const packedBytes = (dtype: PackedType, rows: number, cols: number): number =>
  Math.ceil(rows / 16) * words(dtype, cols) * 64;

/** The rows as 32-bit words, an odd last bf16 column padded. */
function rowWords(dtype: PackedType, bytes: Uint8Array, rows: number, cols: number): Uint32Array {
  const width = words(dtype, cols);
  const b = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  if (dtype === "f32" || cols % 2 === 0) return new Uint32Array(b.buffer, b.byteOffset, rows * width);
  const codes = new Uint16Array(b.buffer, b.byteOffset, rows * cols);
  const padded = new Uint16Array(rows * width * 2);
  for (let r = 0; r < rows; r++) padded.set(codes.subarray(r * cols, (r + 1) * cols), r * width * 2);
  return new Uint32Array(padded.buffer);
}

/** Columns packed together: 16 rows of them, and what they become, fit a core's first cache beside a neighbour's. */
const tile = 64;

/** Pack `rows` row-major rows into `out`, which takes `packedBytes` of them. */
export function packRows(
  dtype: PackedType,
  bytes: Uint8Array,
  rows: number,
  cols: number,
  out: Uint8Array,
): void {
  const width = words(dtype, cols);
  const from = rowWords(dtype, bytes, rows, cols);
  const to = new Uint32Array(out.buffer, out.byteOffset, out.byteLength / 4);
  for (let first = 0; first < rows; first += 16) {
    const present = Math.min(16, rows - first);
    if (present < 16) to.fill(0, first * width, (first + 16) * width);
    for (let left = 0; left < width; left += tile)
      packTile(from, first * width, width, present, left, Math.min(left + tile, width), to);
  }
}

/** Words left..right of the block of rows that starts at word `base`, in both arrays. */
function packTile(
  from: Uint32Array,
  base: number,
  width: number,
  rows: number,
  left: number,
  right: number,
  to: Uint32Array,
): void {
  for (let r = 0; r < rows; r++) {
    const row = base + r * width;
    for (let i = left, at = base + left * 16 + r; i < right; i++, at += 16) to[at] = from[row + i] ?? 0;
  }
}
