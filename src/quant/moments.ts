/**
 * Second moments of activations [width, width], the sum of x^T x over rows, with their number: the Hessian of the squared error of a
 * product's output, up to a factor.
 */
export type Moments = {
  readonly width: number;
  readonly sum: Float64Array;
  tokens: number;
};

export const noMoments = (width: number): Moments => ({
  width,
  sum: new Float64Array(width * width),
  tokens: 0,
});

/** Rows taken together, so that each sum is read and written once for all of them. */
const together = 8;

/** Add rows of `x`, each of `stride` elements of which the first `width` count, each row's square times its weight. */
export function addRows(
  into: Moments,
  x: Float32Array,
  stride: number,
  rows: ArrayLike<number>,
  weigh: (i: number) => number,
): void {
  const { width, sum } = into;
  // Column after column, the rows of a column side by side; rows that are missing at the end are zeros.
  const plain = new Float64Array(width * together);
  const weighed = new Float64Array(width * together);
  for (let first = 0; first < rows.length; first += together) {
    for (let r = 0; r < together; r++) {
      const isThere = first + r < rows.length;
      const at = (rows[first + r] ?? 0) * stride;
      const weight = isThere ? weigh(first + r) : 0;
      for (let i = 0; i < width; i++) {
        const value = isThere ? (x[at + i] ?? 0) : 0;
        plain[i * together + r] = value;

        weighed[i * together + r] = value * weight;
      }
    }
    addProducts(sum, width, weighed, plain);
  }
  into.tokens += rows.length;
}

/** sum[i, j] += a[i] . b[j] for j up to i; the rows are spelt out for the sake of speed. */
function addProducts(sum: Float64Array, width: number, a: Float64Array, b: Float64Array): void {
  for (let i = 0; i < width; i++) {
    const at = i * together;
    const [a0, a1, a2, a3] = [a[at] ?? 0, a[at + 1] ?? 0, a[at + 2] ?? 0, a[at + 3] ?? 0];
    const [a4, a5, a6, a7] = [a[at + 4] ?? 0, a[at + 5] ?? 0, a[at + 6] ?? 0, a[at + 7] ?? 0];
    const row = i * width;
    for (let j = 0, of = 0; j <= i; j++, of += together)
      sum[row + j] =
        (sum[row + j] ?? 0) +
        (a0 * (b[of] ?? 0) + a1 * (b[of + 1] ?? 0) + (a2 * (b[of + 2] ?? 0) + a3 * (b[of + 3] ?? 0))) +
        (a4 * (b[of + 4] ?? 0) + a5 * (b[of + 5] ?? 0) + (a6 * (b[of + 6] ?? 0) + a7 * (b[of + 7] ?? 0)));
  }
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
