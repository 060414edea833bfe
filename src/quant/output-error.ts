import { addProduct, type Products } from "./products.ts";
import { groupCount, groupWidth, type Quantized, type WeightFormat } from "../tensor/format.ts";

/** The elements that a quantized matrix [rows, cols] stands for. */
export function valuesOf(
  { codes, scales, zeros }: Quantized,
  rows: number,
  cols: number,
  format: WeightFormat,
): Float32Array {
  const width = groupWidth(format, cols);
  const groups = groupCount(format, cols);
  const out = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < cols; i++) {
      const g = row * groups + Math.floor(i / width);
      out[row * cols + i] = ((codes[row * cols + i] ?? 0) - (zeros?.[g] ?? 0)) * (scales[g] ?? 0);
    }
  return out;
}

/** tr(A H A^T) of rows A = a - b. */
function energy(a: Float32Array, b: Float32Array | undefined, cols: number, hessian: Float64Array): number {
  const row = new Float64Array(cols);
  let total = 0;
  for (let from = 0; from < a.length; from += cols) {
    for (let i = 0; i < cols; i++) row[i] = (a[from + i] ?? 0) - (b?.[from + i] ?? 0);
    for (let i = 0; i < cols; i++) {
      let sum = 0;
      for (let j = 0; j < i; j++) sum += (hessian[i * cols + j] ?? 0) * (row[j] ?? 0);
      total += (row[i] ?? 0) * (2 * sum + (hessian[i * cols + i] ?? 0) * (row[i] ?? 0));
    }
  }
  return total;
}

/**
 * How far a quantized matrix [rows, cols] is off in what it gives for the activations of `hessian`: the mean square of the difference
 * over the mean square of the output. 0 where the output is 0.
 */
export function outputError(
  w: Float32Array,
  found: Quantized,
  rows: number,
  cols: number,
  hessian: Float64Array,
  format: WeightFormat,
): number {
  const whole = energy(w, undefined, cols, hessian);
  return whole > 0 ? energy(w, valuesOf(found, rows, cols, format), cols, hessian) / whole : 0;
}

/** tr(G E H E^T) for an error E [rows, cols], G [rows, rows] and H [cols, cols], products in float32. */
export function coupledEnergy(
  e: Float32Array,
  rows: number,
  cols: number,
  inputs: Float64Array,
  outputs: Float64Array,
  products: Products,
): number {
  const [right, left] = [new Float32Array(rows * cols), new Float32Array(rows * cols)];
  addProduct(products, right, e, Float32Array.from(inputs), cols, cols);
  addProduct(products, left, Float32Array.from(outputs), e, rows, cols);
  let total = 0;
  for (let i = 0; i < e.length; i++) total += (left[i] ?? 0) * (right[i] ?? 0);
  return total;
}
