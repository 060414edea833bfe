import { groupCount, groupWidth, type WeightFormat } from "../tensor/format.ts";
import type { Grid } from "./rounding/clip.ts";
import { codeRange, cover, roundEven, roundScale } from "./rounding/nearest.ts";

/** Shares of the full range that are tried: so many, from the largest on, so far apart. */
export const [largestShare, shareStep, shareCount] = [1.05, 0.03, 16];

const f = Math.fround;

/**
 * Scales that give the least squared error of rounding to nearest, for symmetric integers whose rows keep scales of their own: of the full
 * range and of shares of it. Everything is float32, so that code for vectors can do the same to the bit.
 */
export function searchSymmetric(w: Float32Array, rows: number, cols: number, format: WeightFormat): Grid {
  const width = groupWidth(format, cols);
  const groups = groupCount(format, cols);
  const scales = new Float32Array(rows * groups);
  for (let i = 0; i < scales.length; i++) {
    const from = Math.floor(i / groups) * cols + (i % groups) * width;
    const to = Math.min(from + width, (Math.floor(i / groups) + 1) * cols);
    scales[i] = bestScale(w.subarray(from, to), format);
  }
  return { scales };
}

function bestScale(x: Float32Array, format: WeightFormat): number {
  let most = 0;
  for (const it of x) most = Math.max(most, Math.abs(it));
  let best = cover(-most, most, format).scale;
  if (most === 0) return best;
  let least = squaredError(x, best, format);
  for (let j = 0; j < shareCount; j++) {
    const share = f(f(largestShare) - f(f(shareStep) * j));
    const [, greatest] = codeRange(format);
    const scale = roundScale(f(f(most * share) / greatest), format.scale);
    const error = squaredError(x, scale, format);
    if (error < least) [best, least] = [scale, error];
  }
  return best;
}

/** Eight sums side by side over whole eights of x, added pairwise, and then the sum of what is left. */
function squaredError(x: Float32Array, scale: number, format: WeightFormat): number {
  const [low, high] = codeRange(format);
  const inverse = f(1 / scale);
  const sums = new Float32Array(8);
  const square = (i: number): number => {
    const code = Math.max(low, Math.min(high, roundEven(f((x[i] ?? 0) * inverse))));
    const off = f((x[i] ?? 0) - f(code * scale));
    return f(off * off);
  };
  const whole = x.length - (x.length % 8);
  for (let i = 0; i < whole; i++) sums[i % 8] = (sums[i % 8] ?? 0) + square(i);
  let tail = 0;
  for (let i = whole; i < x.length; i++) tail = f(tail + square(i));
  const [a, b, c, d] = [0, 1, 2, 3].map((l) => f((sums[l] ?? 0) + (sums[l + 4] ?? 0))) as [
    number,
    number,
    number,
    number,
  ];
  return f(f(f(a + b) + f(c + d)) + tail);
}
