import type { Quantized, WeightFormat } from "../../tensor/format.ts";
import { groupCount } from "../../tensor/format.ts";
import { searchGrid } from "../rounding/clip.ts";
import { dampedFactor, fallingDiagonal, gptq, roundInOrder } from "./gptq.ts";
import { valuesOf } from "../output-error.ts";
import { refine } from "./refine.ts";

/** How often each row is refined after all have been rounded. */
const rounds = 2;

/**
 * Round a matrix whose error costs tr(G E H E^T): `inputs` H [cols, cols] is the second moment of what it multiplies, `outputs` G
 * [rows, rows] that of the gradients of what it gives. Rows are rounded as GPTQ rounds columns (YAQA, Tseng et al. 2025, arXiv
 * 2505.22988): what one loses, those not yet rounded make up for. Then row after row is refined while the others stand.
 */
export function coupledGptq(
  w: Float32Array,
  rows: number,
  cols: number,
  inputs: Float64Array,
  outputs: Float64Array,
  format: WeightFormat,
): Quantized {
  const order = fallingDiagonal(inputs, cols);
  const rowOrder = fallingDiagonal(outputs, rows);
  const factor = dampedFactor(inputs, order);
  const rowFactor = dampedFactor(outputs, rowOrder);
  if (!factor || !rowFactor || format.blockRows > 1)
    return refine(w, rows, cols, inputs, format, gptq(w, rows, cols, inputs, format));
  const groups = groupCount(format, cols);
  const found: Quantized = {
    codes: new Int8Array(rows * cols),
    scales: new Float32Array(rows * groups),
    ...(!format.symmetric && { zeros: new Int8Array(rows * groups) }),
  };
  const put = (row: number, it: Quantized) => {
    found.codes.set(it.codes, row * cols);
    found.scales.set(it.scales, row * groups);
    if (it.zeros) found.zeros?.set(it.zeros, row * groups);
  };
  const importance = Float64Array.from({ length: cols }, (_, i) => inputs[i * cols + i] ?? 0);
  const errors = new Float32Array(rows * cols);
  // As columns in GPTQ: each row's error, over its pivot, moves the rows behind it.
  const targets = Float32Array.from(w);
  rowOrder.forEach((row, at) => {
    const target = targets.slice(row * cols, (row + 1) * cols);
    const grid = searchGrid(target, 1, cols, format, importance);
    const codes = roundInOrder(target, 1, cols, factor, format, grid, order);
    const rounded = refine(target, 1, cols, inputs, format, { codes, ...grid });
    put(row, rounded);
    const values = valuesOf(rounded, 1, cols, format);
    const pivot = rowFactor[at * rows + at] ?? 1;
    for (let i = 0; i < cols; i++) {
      errors[row * cols + i] = (w[row * cols + i] ?? 0) - (values[i] ?? 0);
      target[i] = ((target[i] ?? 0) - (values[i] ?? 0)) / pivot;
    }
    for (let to = at + 1; to < rows; to++) {
      const share = rowFactor[at * rows + to] ?? 0;
      const other = (rowOrder[to] ?? 0) * cols;
      for (let i = 0; i < cols; i++)
        targets[other + i] = (targets[other + i] ?? 0) - share * (target[i] ?? 0);
    }
  });
  for (let round = 0; round < rounds; round++)
    for (const row of rowOrder) {
      const own = outputs[row * rows + row] ?? 0;
      if (own <= 0) continue;
      const target = w.slice(row * cols, (row + 1) * cols);
      for (let s = 0; s < rows; s++) {
        const share = s === row ? 0 : (outputs[row * rows + s] ?? 0) / own;
        if (share !== 0)
          for (let i = 0; i < cols; i++) target[i] = (target[i] ?? 0) + share * (errors[s * cols + i] ?? 0);
      }
      const zeros = found.zeros?.slice(row * groups, (row + 1) * groups);
      const start: Quantized = {
        codes: found.codes.slice(row * cols, (row + 1) * cols),
        scales: found.scales.slice(row * groups, (row + 1) * groups),
        ...(zeros && { zeros }),
      };
      const rounded = refine(target, 1, cols, inputs, format, start);
      put(row, rounded);
      const values = valuesOf(rounded, 1, cols, format);
      for (let i = 0; i < cols; i++) errors[row * cols + i] = (w[row * cols + i] ?? 0) - (values[i] ?? 0);
    }
  return found;
}
