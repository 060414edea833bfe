import type { Products } from "./products.ts";

/**
 * Second moments of activations [width, width], the sum of x^T x over rows, with their number: the Hessian of the squared error of a
 * product's output, up to a factor.
 */
export type Moments = {
  readonly width: number;
  readonly sum: Float64Array;
  /** The greatest magnitude in each column. */
  readonly peaks: Float32Array;
  tokens: number;
  /** The weights of all rows together. */
  weight: number;
};

export const noMoments = (width: number): Moments => ({
  width,
  sum: new Float64Array(width * width),
  peaks: new Float32Array(width),
  tokens: 0,
  weight: 0,
});

/** Rows whose products are summed in float32 before they join the float64 sums. */
const together = 256;

/** Add rows of `x`, each of `stride` elements of which the first `width` count, each row's square times its weight. */
export function addRows(
  into: Moments,
  x: Float32Array,
  stride: number,
  rows: ArrayLike<number>,
  weigh: (i: number) => number,
  { outer }: Products,
): void {
  const { width, sum, peaks } = into;
  for (let first = 0; first < rows.length; first += together) {
    const count = Math.min(together, rows.length - first);
    const fill = (a: Float32Array, strideA: number, b: Float32Array, strideB: number) => {
      for (let r = 0; r < count; r++) {
        const at = (rows[first + r] ?? 0) * stride;
        const weight = weigh(first + r);
        into.weight += weight;
        for (let i = 0; i < width; i++) {
          const value = x[at + i] ?? 0;
          a[r * strideA + i] = value * weight;
          b[r * strideB + i] = value;
          if (Math.abs(value) > (peaks[i] ?? 0)) peaks[i] = Math.abs(value);
        }
      }
    };
    const found = outer(count, width, width, fill, (i) => i + 1);
    for (let i = 0; i < width; i++)
      for (let j = 0; j <= i; j++)
        sum[i * width + j] = (sum[i * width + j] ?? 0) + (found.sum[i * found.stride + j] ?? 0);
  }
  into.tokens += rows.length;
}

/** Moments of one width together. */
export function sumOf(parts: readonly Moments[]): Moments {
  const sum = noMoments(parts[0]?.width ?? 0);
  for (const it of parts) {
    for (let i = 0; i < sum.sum.length; i++) sum.sum[i] = (sum.sum[i] ?? 0) + (it.sum[i] ?? 0);
    it.peaks.forEach((x, i) => (sum.peaks[i] = Math.max(x, sum.peaks[i] ?? 0)));
    sum.tokens += it.tokens;
    sum.weight += it.weight;
  }
  return sum;
}

/** The whole symmetric matrix; while rows are added only its lower half is kept. */
export function symmetric({ width, sum }: Moments): Float64Array {
  const out = Float64Array.from(sum);
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) out[j * width + i] = out[i * width + j] ?? 0;
  return out;
}

/** Rows of the layer that count as much as an expert's own few. */
const strength = 64;

/**
 * An expert's moments a row, shrunk towards its layer's by how few rows it saw (a conjugate prior of `strength` rows); the layer's alone
 * below `least` rows.
 */
export function shrunk(expert: Moments, layer: Moments, least: number): Float64Array {
  const [own, all] = [symmetric(expert), symmetric(layer)];
  const rows = expert.tokens < least ? 0 : expert.tokens;
  const perLayerRow = strength / Math.max(1, layer.tokens);
  const perOwnRow = rows === 0 ? 0 : 1;
  return own.map((x, i) => (perOwnRow * x + perLayerRow * (all[i] ?? 0)) / (rows + strength));
}
