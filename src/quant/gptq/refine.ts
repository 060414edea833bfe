import { groupCount, groupWidth, type Quantized, type WeightFormat } from "../../tensor/format.ts";
import { codeRange, nearestCode, roundScale } from "../rounding/nearest.ts";

const sweeps = 8;

/**
 * Coordinate descent on the error of a matrix's output, tr((W - Q) H (W - Q)^T): code after code takes the value that is best while all
 * others stand, then each group's scale; until nothing changes. The error never grows. Formats whose rows share scales keep theirs.
 */
export function refine(
  w: Float32Array,
  rows: number,
  cols: number,
  hessian: Float64Array,
  format: WeightFormat,
  start: Quantized,
): Quantized {
  const codes = Int8Array.from(start.codes);
  const scales = Float32Array.from(start.scales);
  const groups = groupCount(format, cols);
  const row: Row = { w: new Float64Array(cols), gradient: new Float64Array(cols), cols, hessian };
  for (let r = 0; r < rows; r++) {
    const own: Rounded = {
      codes: codes.subarray(r * cols, (r + 1) * cols),
      scales: scales.subarray(r * groups, (r + 1) * groups),
      zeros: start.zeros?.subarray(r * groups, (r + 1) * groups),
    };
    for (let i = 0; i < cols; i++) row.w[i] = w[r * cols + i] ?? 0;
    setGradient(row, own, format);
    for (let sweep = 0; sweep < sweeps; sweep++) {
      const changed = improveCodes(row, own, format);
      const rescaled = format.blockRows === 1 && improveScales(row, own, format);
      if (!changed && !rescaled) break;
    }
  }
  return { codes, scales, ...(start.zeros && { zeros: start.zeros }) };
}

type Row = {
  readonly w: Float64Array;
  /** H (w - q): half the fall of the error as q grows. */
  readonly gradient: Float64Array;
  readonly cols: number;
  readonly hessian: Float64Array;
};

type Rounded = {
  readonly codes: Int8Array;
  readonly scales: Float32Array;
  readonly zeros: Int8Array | undefined;
};

function setGradient({ w, gradient, cols, hessian }: Row, own: Rounded, format: WeightFormat): void {
  gradient.fill(0);
  const width = groupWidth(format, cols);
  for (let i = 0; i < cols; i++) {
    const g = Math.floor(i / width);
    const error = (w[i] ?? 0) - ((own.codes[i] ?? 0) - (own.zeros?.[g] ?? 0)) * (own.scales[g] ?? 0);
    addColumn(gradient, hessian, i, error);
  }
}

/** gradient += by * column `i` of the symmetric Hessian. */
function addColumn(gradient: Float64Array, hessian: Float64Array, i: number, by: number): void {
  const from = i * gradient.length;
  for (let j = 0; j < gradient.length; j++) gradient[j] = (gradient[j] ?? 0) + by * (hessian[from + j] ?? 0);
}

function improveCodes({ gradient, cols, hessian }: Row, own: Rounded, format: WeightFormat): boolean {
  const [least, greatest] = codeRange(format);
  const width = groupWidth(format, cols);
  let changed = false;
  for (let i = 0; i < cols; i++) {
    const curvature = hessian[i * cols + i] ?? 0;
    if (curvature <= 0) continue;
    const scale = own.scales[Math.floor(i / width)] ?? 1;
    const code = own.codes[i] ?? 0;
    const wanted = nearestCode(code + (gradient[i] ?? 0) / (curvature * scale), format.codes);
    const next = Math.max(least, Math.min(greatest, wanted));
    if (next === code) continue;
    const step = (next - code) * scale;
    if (step * step * curvature >= 2 * step * (gradient[i] ?? 0) * (1 - 1e-9)) continue;
    own.codes[i] = next;
    addColumn(gradient, hessian, i, -step);
    changed = true;
  }
  return changed;
}

function improveScales({ gradient, cols, hessian }: Row, own: Rounded, format: WeightFormat): boolean {
  const width = groupWidth(format, cols);
  const part = new Float64Array(width);
  let changed = false;
  for (let g = 0, from = 0; from < cols; g++, from += width) {
    const size = Math.min(width, cols - from);
    const zero = own.zeros?.[g] ?? 0;
    let slope = 0;
    for (let i = 0; i < size; i++) {
      part[i] = (own.codes[from + i] ?? 0) - zero;
      slope += (part[i] ?? 0) * (gradient[from + i] ?? 0);
    }
    const curvature = quadratic(hessian, cols, part, from, size);
    const old = own.scales[g] ?? 1;
    if (curvature <= 0) continue;
    const wanted = old + slope / curvature;
    if (!(wanted > 0)) continue;
    const next = roundScale(wanted, format.scale);
    const step = next - old;
    if (step === 0 || step * step * curvature >= 2 * step * slope * (1 - 1e-9)) continue;
    own.scales[g] = next;
    for (let i = 0; i < size; i++) addColumn(gradient, hessian, from + i, -step * (part[i] ?? 0));
    changed = true;
  }
  return changed;
}

/** c^T H c over one group. */
function quadratic(hessian: Float64Array, cols: number, c: Float64Array, from: number, size: number): number {
  let total = 0;
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let j = 0; j < size; j++) sum += (hessian[(from + i) * cols + from + j] ?? 0) * (c[j] ?? 0);
    total += sum * (c[i] ?? 0);
  }
  return total;
}
