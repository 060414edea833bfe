import { groupCount, groupWidth, type Quantized, type WeightFormat } from "../tensor/format.ts";
import { fail } from "../support/diagnostics.ts";

/** The smallest scale: below it a float32 would lose bits, and the reciprocal overflow. */
const smallestScale = 2 ** -126;

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** A positive scale as its dtype holds it: to nearest, never zero. */
export function roundScale(scale: number, dtype: WeightFormat["scale"]): number {
  word[0] = Math.max(scale, smallestScale);
  if (dtype === "bf16") bits[0] = ((bits[0] ?? 0) + 0x7fff + (((bits[0] ?? 0) >>> 16) & 1)) & 0xffff0000;
  return word[0];
}

/** To the nearest whole number, ties to the even one; for magnitudes below 2^22. */
export const roundEven = (x: number): number => {
  const magic = 6755399441055744; // 1.5 * 2^52: what is added to it loses its fraction
  return x + magic - magic;
};

/** The least and the greatest code of a format. */
export function codeRange({ bits: width }: WeightFormat): readonly [least: number, greatest: number] {
  return width === 8 ? [-127, 127] : [-8, 7];
}

/**
 * Round a matrix [rows, cols] to a format: each scale covers the largest magnitude of its group (symmetric) or its whole range and
 * zero (asymmetric); codes to nearest, ties to even. Throws `quant/not-finite`.
 */
export function roundToNearest(w: Float32Array, rows: number, cols: number, format: WeightFormat): Quantized {
  const width = groupWidth(format, cols);
  const groups = groupCount(format, cols);
  const codes = new Int8Array(rows * cols);
  const scales = new Float32Array(rows * groups);
  const zeros = format.symmetric ? undefined : new Int8Array(rows * groups);
  const [least, greatest] = codeRange(format);
  for (let top = 0; top < rows; top += format.blockRows)
    for (let g = 0; g < groups; g++) {
      const bottom = Math.min(rows, top + format.blockRows);
      const [from, to] = [g * width, Math.min(cols, (g + 1) * width)];
      const [low, high] = extent(w, cols, top, bottom, from, to);
      const { scale, zero } = cover(low, high, format);
      for (let row = top; row < bottom; row++) {
        scales[row * groups + g] = scale;
        if (zeros) zeros[row * groups + g] = zero;
        for (let i = row * cols + from; i < row * cols + to; i++)
          codes[i] = Math.max(least, Math.min(greatest, roundEven((w[i] ?? 0) / scale) + zero));
      }
    }
  return { codes, scales, ...(zeros && { zeros }) };
}

/** The least and greatest element of a block. */
function extent(w: Float32Array, cols: number, top: number, bottom: number, from: number, to: number) {
  let [low, high] = [Infinity, -Infinity];
  for (let row = top; row < bottom; row++)
    for (let i = row * cols + from; i < row * cols + to; i++) {
      const x = w[i] ?? 0;
      if (!(x - x === 0)) fail("quant/not-finite", undefined, row, i - row * cols);
      if (x < low) low = x;
      if (x > high) high = x;
    }
  return [low, high] as const;
}

/** The scale and zero point whose codes reach from `low` to `high`. A group of zeros has scale 1. */
export function cover(
  low: number,
  high: number,
  format: WeightFormat,
): { readonly scale: number; readonly zero: number } {
  const [least, greatest] = codeRange(format);
  if (format.symmetric) {
    const most = Math.max(-low, high);
    return { scale: most === 0 ? 1 : roundScale(most / greatest, format.scale), zero: 0 };
  }
  const [bottom, top] = [Math.min(low, 0), Math.max(high, 0)];
  if (top === bottom) return { scale: 1, zero: 0 };
  const scale = roundScale((top - bottom) / (greatest - least), format.scale);
  return { scale, zero: Math.max(least, Math.min(greatest, least - roundEven(bottom / scale))) };
}
