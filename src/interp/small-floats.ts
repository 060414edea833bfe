import { decodeToF32 } from "../tensor/codec.ts";
import { dtypes, type DType } from "../tensor/dtype.ts";

/**
 * Rounding to floats of so few bits that all their values fit a table: to the nearest, ties to the even code; what lies beyond
 * the largest becomes the largest (the saturating conversion of OCP OFP8, section 5.2.2). NaN stays NaN, and is zero where there is none.
 */
export function smallFloatRounder(dtype: DType): (x: number) => number {
  const codes = 2 ** dtypes[dtype].bits;
  const perByte = 8 / dtypes[dtype].bits;
  const bytes = Uint8Array.from({ length: codes / perByte }, (_, i) =>
    perByte === 1 ? i : 2 * i + 16 * (2 * i + 1),
  );
  const values = new Float32Array(codes);
  decodeToF32(dtype, bytes, values);
  // Codes without a sign count upwards with their values, so a value's place among them is its code.
  const magnitudes = [...values.subarray(0, codes / 2)].filter(Number.isFinite);
  const largest = magnitudes.at(-1) ?? 0;
  return (x) => {
    const m = Math.abs(x);
    if (Number.isNaN(x)) return values.some(Number.isNaN) ? NaN : 0;
    if (m >= largest) return Math.sign(x) * largest;
    let [low, high] = [0, magnitudes.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((magnitudes[middle] ?? 0) <= m) low = middle;
      else high = middle;
    }
    const [below, above] = [magnitudes[low] ?? 0, magnitudes[high] ?? 0];
    const up = m - below > above - m || (m - below === above - m && low % 2 === 1);
    const nearest = up ? above : below;
    return x < 0 || Object.is(x, -0) ? -nearest : nearest;
  };
}
