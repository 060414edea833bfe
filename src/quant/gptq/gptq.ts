import { groupCount, groupWidth, type Quantized, type WeightFormat } from "../../tensor/format.ts";
import { inverseUpperFactor } from "./cholesky.ts";
import { roundOnGrid, searchGrid, type Grid } from "../rounding/clip.ts";
import { codeRange, nearestCode } from "../rounding/nearest.ts";

/** A share of the mean diagonal added to it, and how it grows until the matrix is positive definite. */
const damping = 0.01;
const mostDamping = 10;

/** The Hessian with columns that nothing reads made harmless, and its diagonal raised. */
function damped(hessian: Float64Array, n: number, share: number): Float64Array {
  const out = Float64Array.from(hessian);
  let mean = 0;
  for (let i = 0; i < n; i++) mean += (out[i * n + i] ?? 0) / n;
  for (let i = 0; i < n; i++) out[i * n + i] = (out[i * n + i] ?? 0) + share * mean || 1;
  return out;
}

/** Columns by falling diagonal: those that matter most are rounded while most of the others can still answer. */
export const fallingDiagonal = (hessian: Float64Array, n: number): Int32Array =>
  Int32Array.from({ length: n }, (_, i) => i).sort(
    (a, b) => (hessian[b * n + b] ?? 0) - (hessian[a * n + a] ?? 0) || a - b,
  );

function permuted(a: Float64Array, order: Int32Array): Float64Array {
  const n = order.length;
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) out[i * n + j] = a[(order[i] ?? 0) * n + (order[j] ?? 0)] ?? 0;
  return out;
}

const diagonal = (a: Float64Array, n: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => a[i * n + i] ?? 0);

/**
 * GPTQ (Frantar et al. 2022, arXiv 2210.17323) with columns by falling diagonal and groups whose scales are found beforehand:
 * each column is rounded, and what is lost is made up for by the columns not yet rounded. `hessian` [cols, cols] is the second moment
 * of the activations, in any unit. A Hessian that no damping makes positive definite leaves rounding to nearest.
 */
export function gptq(
  w: Float32Array,
  rows: number,
  cols: number,
  hessian: Float64Array,
  format: WeightFormat,
): Quantized {
  const grid = searchGrid(w, rows, cols, format, diagonal(hessian, cols));
  return gptqOnGrid(w, rows, cols, hessian, format, grid, fallingDiagonal(hessian, cols));
}

/** GPTQ with given scales and a given order of columns. */
export function gptqOnGrid(
  w: Float32Array,
  rows: number,
  cols: number,
  hessian: Float64Array,
  format: WeightFormat,
  grid: Grid,
  order: Int32Array,
): Quantized {
  const factor = dampedFactor(hessian, order);
  if (!factor) return roundOnGrid(w, rows, cols, format, grid);
  return { codes: roundInOrder(w, rows, cols, factor, format, grid, order), ...grid };
}

/**
 * The upper factor of the inverse of a symmetric matrix in the given order, its diagonal raised as little as makes it positive definite;
 * undefined where nothing does.
 */
export function dampedFactor(hessian: Float64Array, order: Int32Array): Float64Array | undefined {
  for (let share = damping; share <= mostDamping; share *= 10) {
    const factor = inverseUpperFactor(permuted(damped(hessian, order.length, share), order), order.length);
    if (factor) return factor;
  }
  return undefined;
}

export function roundInOrder(
  w: Float32Array,
  rows: number,
  cols: number,
  factor: Float64Array,
  format: WeightFormat,
  { scales, zeros }: Grid,
  order: Int32Array,
): Int8Array {
  const codes = new Int8Array(rows * cols);
  const [least, greatest] = codeRange(format);
  const groups = groupCount(format, cols);
  const groupOf = Int32Array.from(order, (column) => Math.floor(column / groupWidth(format, cols)));
  const left = new Float64Array(cols);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < cols; i++) left[i] = w[row * cols + (order[i] ?? 0)] ?? 0;
    for (let i = 0; i < cols; i++) {
      const g = row * groups + (groupOf[i] ?? 0);
      const [scale, zero] = [scales[g] ?? 1, zeros?.[g] ?? 0];
      const nearest = nearestCode((left[i] ?? 0) / scale, format.codes) + zero;
      const code = Math.max(least, Math.min(greatest, nearest));
      codes[row * cols + (order[i] ?? 0)] = code;
      const error = ((left[i] ?? 0) - (code - zero) * scale) / (factor[i * cols + i] ?? 1);
      for (let j = i + 1; j < cols; j++) left[j] = (left[j] ?? 0) - error * (factor[i * cols + j] ?? 0);
    }
  }
  return codes;
}
