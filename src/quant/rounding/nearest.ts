import { groupCount, groupWidth, type Quantized, type WeightFormat } from "../../tensor/format.ts";

/** The smallest scale: below it a float32 would lose bits, and the reciprocal overflow. */
const smallestScale = 2 ** -126;

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** A positive scale as its dtype holds it: to nearest, never zero. The nearest power of two is taken by the mantissa's first bit. */
export function roundScale(scale: number, dtype: WeightFormat["scale"]): number {
  word[0] = Math.max(scale, smallestScale);
  const code = bits[0] ?? 0;
  if (dtype === "bf16") bits[0] = (code + 0x7fff + ((code >>> 16) & 1)) & 0xffff0000;
  if (dtype === "f8e8m0") bits[0] = (code + 0x400000) & 0x7f800000;
  return word[0];
}

/** The largest power of two that is not above a positive number. */
function powerBelow(x: number): number {
  word[0] = x;
  bits[0] = (bits[0] ?? 0) & 0x7f800000;
  return word[0];
}

/** To the nearest whole number, ties to the even one; for magnitudes below 2^22. */
export const roundEven = (x: number): number => {
  const magic = 6755399441055744; // 1.5 * 2^52: what is added to it loses its fraction
  return x + magic - magic;
};

/** The least and the greatest code of a format. */
export function codeRange({ bits: width, codes }: WeightFormat): readonly [least: number, greatest: number] {
  if (codes === "e2m1") return [-12, 12];
  return width === 8 ? [-127, 127] : [-8, 7];
}

/** The code that is nearest to a number, ties to the even one. */
export function nearestCode(x: number, codes: WeightFormat["codes"]): number {
  if (codes === "integer") return roundEven(x);
  // E2M1 has one bit of mantissa: twice its numbers lie 1, 2 or 4 apart, and the even mantissas are whole multiples of two steps.
  const magnitude = Math.abs(x);
  const step = magnitude < 4 ? 1 : magnitude < 8 ? 2 : 4;
  return step * roundEven(x / step);
}

/**
 * Round a matrix [rows, cols] to a format: each scale covers the largest magnitude of its group (symmetric) or its whole range and
 * zero (asymmetric); codes to nearest of the float32 quotient, ties to even.
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
        for (let i = row * cols + from; i < row * cols + to; i++) {
          const code = nearestCode(Math.fround((w[i] ?? 0) / scale), format.codes) + zero;
          codes[i] = Math.max(least, Math.min(greatest, code));
        }
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
      if (x < low) low = x;
      if (x > high) high = x;
    }
  return [low, high] as const;
}

/** The scale and zero point whose codes reach from `low` to `high`. A group of zeros has scale 1, of E2M1 its half. */
export function cover(
  low: number,
  high: number,
  format: WeightFormat,
): { readonly scale: number; readonly zero: number } {
  const [least, greatest] = codeRange(format);
  if (format.symmetric) {
    const most = Math.max(-low, high);
    if (most === 0) return { scale: format.codes === "e2m1" ? 0.5 : 1, zero: 0 };
    // Half of 2^(floor(log2(most)) - 2), two being the largest exponent of E2M1 (OCP Microscaling Formats 1.0, section 6.3).
    if (format.codes === "e2m1") return { scale: Math.max(powerBelow(most) / 8, smallestScale), zero: 0 };
    return { scale: roundScale(most / greatest, format.scale), zero: 0 };
  }
  const [bottom, top] = [Math.min(low, 0), Math.max(high, 0)];
  if (top === bottom) return { scale: 1, zero: 0 };
  const scale = roundScale((top - bottom) / (greatest - least), format.scale);
  return { scale, zero: Math.max(least, Math.min(greatest, least - roundEven(bottom / scale))) };
}
