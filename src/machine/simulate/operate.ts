import type { DType } from "../../tensor/dtype.ts";
import { rotateBlocks } from "../../tensor/hadamard.ts";
import {
  elementwise,
  isElementwise,
  isReduction,
  reductions,
  type VectorOp,
} from "../schedule/vector-ops.ts";
import type { View } from "./memory.ts";
import { roundingTo } from "./rounding.ts";

/** What single instructions do to data. */

/** Copy a box, converted to `to`'s dtype where that differs from `from`'s. */
export function copy(from: View, to: View, dtypes: { readonly from: DType; readonly to: DType }): void {
  const [source, target] = [from.values, to.values];
  const isPlain = dtypes.from === dtypes.to;
  const convert = isPlain ? undefined : roundingTo(dtypes.to);
  const rows = Math.min(from.starts.length, to.starts.length);
  for (let r = 0; r < rows; r++) {
    let [a, b] = [from.starts[r] ?? 0, to.starts[r] ?? 0];
    if (!convert && from.step === 1 && to.step === 1) target.set(source.subarray(a, a + to.cols), b);
    else
      for (let c = 0; c < to.cols; c++, a += from.step, b += to.step) {
        const x = source[a] ?? 0;
        target[b] = convert ? convert(x) : x;
      }
  }
}

/** As `copy`, added to what is there. */
export function accumulate(from: View, to: View, dtype: DType): void {
  const round = roundingTo(dtype);
  for (let r = 0; r < to.starts.length; r++)
    for (let c = 0; c < to.cols; c++) {
      const at = (to.starts[r] ?? 0) + c * to.step;
      to.values[at] = round((to.values[at] ?? 0) + (from.values[(from.starts[r] ?? 0) + c * from.step] ?? 0));
    }
}

/** Rows of a view as one run each; others are gathered first. */
function dense(view: View): View {
  if (view.step === 1) return view;
  const rows = view.starts.length;
  const values = new Float32Array(rows * view.cols);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < view.cols; c++)
      values[r * view.cols + c] = view.values[(view.starts[r] ?? 0) + c * view.step] ?? 0;
  return {
    values,
    starts: Int32Array.from({ length: rows }, (_, r) => r * view.cols),
    step: 1,
    cols: view.cols,
  };
}

/**
 * c[m, n] (+)= a[m, k] b[n, k]^T. Floats: the products of one fragment's depth are summed exactly and then added in float32, the
 * order within a fragment not being published; whole numbers are exact modulo 2^32.
 */
export function matmul(a: View, b: View, c: View, first: boolean, depth: number): void {
  const [left, right] = [dense(a), dense(b)];
  const isFloat = c.values instanceof Float32Array;
  const [x, y] = [left.values, right.values];
  for (let m = 0; m < c.starts.length; m++)
    for (let n = 0; n < c.cols; n++) {
      const at = (c.starts[m] ?? 0) + n * c.step;
      let total = first ? 0 : (c.values[at] ?? 0);
      let [i, j] = [left.starts[m] ?? 0, right.starts[n] ?? 0];
      for (let k = 0; k < left.cols; k += depth) {
        const end = Math.min(left.cols, k + depth);
        let sum = 0;
        for (let p = k; p < end; p++) sum += (x[i++] ?? 0) * (y[j++] ?? 0);
        total = isFloat ? Math.fround(total + sum) : (total + sum) | 0;
      }
      c.values[at] = total;
    }
}

type Rowwise = (
  from: readonly View[],
  to: View,
  r: number,
  values: readonly number[],
  round: (x: number) => number,
) => void;

const at = (view: View | undefined, r: number, c: number): number =>
  view ? (view.values[(view.starts[r] ?? 0) + c * view.step] ?? 0) : 0;

/** Each element of row r from its column, the first operand's element and the row's own number of the second. */
const eachOf =
  (f: (x: number, own: number, c: number, value: number) => number): Rowwise =>
  ([a, b], to, r, [value = 0], round) => {
    const own = at(b, r, 0);
    for (let c = 0; c < to.cols; c++)
      to.values[(to.starts[r] ?? 0) + c * to.step] = round(f(at(a, r, c), own, c, value));
  };
/** Each element from the first operand's and that of a row operand. */
const withRow =
  (f: (x: number, y: number) => number): Rowwise =>
  ([a, b], to, r, _, round) => {
    for (let c = 0; c < to.cols; c++)
      to.values[(to.starts[r] ?? 0) + c * to.step] = round(f(at(a, r, c), at(b, 0, c)));
  };
/** Each element from another of its row. */
const picked =
  (from: (c: number, cols: number) => number): Rowwise =>
  ([a], to, r, _, round) => {
    const row = Float32Array.from({ length: to.cols }, (_, c) => at(a, r, from(c, to.cols)));
    row.forEach((x, c) => (to.values[(to.starts[r] ?? 0) + c * to.step] = round(x)));
  };

const f = Math.fround;
type Special = Exclude<VectorOp, keyof typeof elementwise | keyof typeof reductions>;
const specials: { readonly [K in Special]: Rowwise } = {
  fill: eachOf((_x, _own, _c, value) => value),
  adds: eachOf((x, _own, _c, value) => f(x + f(value))),
  muls: eachOf((x, _own, _c, value) => f(x * f(value))),
  iota: eachOf((_x, _own, c, value) => value + c),
  addColumn: eachOf((x, own) => f(x + own)),
  subColumn: eachOf((x, own) => f(x - own)),
  mulColumn: eachOf((x, own) => f(x * own)),
  divColumn: eachOf((x, own) => f(x / own)),
  lessColumn: eachOf((x, own) => (x < own ? 1 : 0)),
  isBelow: eachOf((x, _own, _c, value) => (x < value ? 1 : 0)),
  isEqual: eachOf((x, _own, _c, value) => (x === value ? 1 : 0)),
  compress: ([a, mask], to, r, _, round) => {
    let next = to.starts[r] ?? 0;
    for (let c = 0; c < to.cols; c++)
      if (at(mask, r, c) !== 0) {
        to.values[next] = round(at(a, r, c));
        next += to.step;
      }
  },
  setAt: eachOf((x, own, c, value) => (c === own ? value : x)),
  addRow: withRow((x, y) => f(x + y)),
  mulRow: withRow((x, y) => f(x * y)),
  swapPairs: picked((c) => c ^ 1),
  swapHalves: picked((c, cols) => (c + cols / 2) % cols),
  argmax: ([a], to, r) => {
    let best = 0;
    for (let c = 1; c < (a?.cols ?? 0); c++) if (at(a, r, c) > at(a, r, best)) best = c;
    to.values[to.starts[r] ?? 0] = best;
  },
  takeAt: ([a, index], to, r, _, round) =>
    void (to.values[to.starts[r] ?? 0] = round(at(a, r, at(index, r, 0)))),
  hadamard: ([a], to, r, [block = 1], round) => {
    const row = Float32Array.from({ length: to.cols }, (_, c) => at(a, r, c));
    rotateBlocks(row, block);
    row.forEach((x, c) => (to.values[(to.starts[r] ?? 0) + c * to.step] = round(x)));
  },
};

/** Carry out a vector operator, row after row. */
export function vector(
  op: VectorOp,
  from: readonly View[],
  to: View,
  values: readonly number[],
  dtype: DType,
): void {
  const round = roundingTo(dtype);
  if (isElementwise(op)) return pointwise(elementwise[op], from, to, round);
  if (isReduction(op)) return reduce(reductions[op], from[0], to, round);
  for (let r = 0; r < to.starts.length; r++) specials[op](from, to, r, values, round);
}

type Pointwise = (a: number, b: number, c: number) => number;

function pointwise(f: Pointwise, [a, b, c]: readonly View[], to: View, round: (x: number) => number): void {
  for (let r = 0; r < to.starts.length; r++)
    for (let col = 0; col < to.cols; col++)
      to.values[(to.starts[r] ?? 0) + col * to.step] = round(f(at(a, r, col), at(b, r, col), at(c, r, col)));
}

type Fold = { readonly start: number; readonly step: (a: number, b: number) => number };

/** Halves of a row are folded into one another until one element is left, as reduction trees of vector units do. */
function reduce({ start, step }: Fold, a: View | undefined, to: View, round: (x: number) => number): void {
  const row = new Float32Array(a?.cols ?? 0);
  for (let r = 0; r < to.starts.length; r++) {
    for (let c = 0; c < row.length; c++) row[c] = at(a, r, c);
    for (let n = row.length; n > 1;) {
      const half = Math.ceil(n / 2);
      for (let c = 0; c < n - half; c++) row[c] = step(row[c] ?? start, row[c + half] ?? start);
      n = half;
    }
    to.values[to.starts[r] ?? 0] = round(row[0] ?? start);
  }
}
