import type { DType } from "../../tensor/dtype.ts";
import { rotateBlocks } from "../../tensor/hadamard.ts";
import {
  elementwise,
  isElementwise,
  isReduction,
  lanes,
  reductions,
  type VectorOp,
} from "../schedule/vector-ops.ts";
import type { View } from "./memory.ts";
import { roundingTo } from "./rounding.ts";

/** What single instructions do to data. */

const f = Math.fround;

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
  const size = rows * view.cols;
  const values = view.values instanceof Float32Array ? new Float32Array(size) : new Int32Array(size);
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

/** Where four rows of b begin, and the four sums that they go into. */
type Four = { readonly starts: Int32Array; readonly sums: Float64Array };

/** Four sums grow by the products of a row of x with rows of y, one product after another: as float32, products rounded before they are added. */
function growFloats(
  x: Float32Array,
  from: number,
  y: Float32Array,
  depth: number,
  { starts, sums }: Four,
): void {
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = starts;
  let [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = sums;
  for (let k = 0; k < depth; k++) {
    const by = x[from + k] ?? 0;
    s0 = f(s0 + f(by * (y[b0 + k] ?? 0)));
    s1 = f(s1 + f(by * (y[b1 + k] ?? 0)));
    s2 = f(s2 + f(by * (y[b2 + k] ?? 0)));
    s3 = f(s3 + f(by * (y[b3 + k] ?? 0)));
  }
  [sums[0], sums[1], sums[2], sums[3]] = [s0, s1, s2, s3];
}

type Whole = Exclude<View["values"], Float32Array>;

/** As `growFloats`, modulo 2^32. */
function growWhole(x: Whole, from: number, y: Whole, depth: number, { starts, sums }: Four): void {
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = starts;
  let [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = sums;
  for (let k = 0; k < depth; k++) {
    const by = x[from + k] ?? 0;
    s0 = (s0 + Math.imul(by, y[b0 + k] ?? 0)) | 0;
    s1 = (s1 + Math.imul(by, y[b1 + k] ?? 0)) | 0;
    s2 = (s2 + Math.imul(by, y[b2 + k] ?? 0)) | 0;
    s3 = (s3 + Math.imul(by, y[b3 + k] ?? 0)) | 0;
  }
  [sums[0], sums[1], sums[2], sums[3]] = [s0, s1, s2, s3];
}

/**
 * c[m, n] (+)= a[m, k] b[n, k]^T, products added in order of k: the accumulators are float32, and the order in which a fragment's products
 * reach them is not published, so it is that of the CPU's kernels. Whole numbers are exact modulo 2^32.
 */
export function matmul(a: View, b: View, c: View, first: boolean): void {
  const [left, right] = [dense(a), dense(b)];
  const [x, y] = [left.values, right.values];
  const four: Four = { starts: new Int32Array(4), sums: new Float64Array(4) };
  for (let m = 0; m < c.starts.length; m++)
    for (let n = 0; n < c.cols; n += 4) {
      // Four at a time, as their chains do not wait for one another; behind the last column the first is done again.
      const count = Math.min(4, c.cols - n);
      const at = (c.starts[m] ?? 0) + n * c.step;
      for (let i = 0; i < 4; i++) {
        four.starts[i] = right.starts[i < count ? n + i : n] ?? 0;
        four.sums[i] = first || i >= count ? 0 : (c.values[at + i * c.step] ?? 0);
      }
      const from = left.starts[m] ?? 0;
      if (x instanceof Float32Array && y instanceof Float32Array) growFloats(x, from, y, left.cols, four);
      else if (!(x instanceof Float32Array || y instanceof Float32Array))
        growWhole(x, from, y, left.cols, four);
      else throw new Error("floats are multiplied by floats");
      for (let i = 0; i < count; i++) c.values[at + i * c.step] = four.sums[i] ?? 0;
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
  addRuns: ([sums, a], to, r, _, round) => {
    for (let l = 0; l < to.cols; l++) {
      let sum = at(sums, r, l);
      for (let c = l; c < (a?.cols ?? 0); c += to.cols) sum = f(sum + at(a, r, c));
      to.values[(to.starts[r] ?? 0) + l * to.step] = round(sum);
    }
  },
  addRow: withRow((x, y) => f(x + y)),
  mulRow: withRow((x, y) => f(x * y)),
  swapPairs: picked((c) => c ^ 1),
  swapHalves: picked((c, cols) => (c + cols / 2) % cols),
  greatest: ([a], to, r) => {
    let most = -Infinity;
    for (let row = 0; row < (a?.starts.length ?? 0); row++)
      for (let c = 0; c < (a?.cols ?? 0); c++) most = Math.max(most, at(a, row, c));
    to.values[to.starts[r] ?? 0] = most;
  },
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

/** Rows to one element each, by lanes and then by halves of the lanes. */
function reduce({ start, step }: Fold, a: View | undefined, to: View, round: (x: number) => number): void {
  const lane = new Float32Array(lanes);
  for (let r = 0; r < to.starts.length; r++) {
    lane.fill(start);
    for (let c = 0; c < (a?.cols ?? 0); c++) lane[c % lanes] = step(lane[c % lanes] ?? start, at(a, r, c));
    for (let half = lanes / 2; half >= 1; half /= 2)
      for (let l = 0; l < half; l++) lane[l] = step(lane[l] ?? start, lane[l + half] ?? start);
    to.values[to.starts[r] ?? 0] = round(lane[0] ?? start);
  }
}
