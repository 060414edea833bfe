import { isOp, type Node, type Value } from "../../ir/graph.ts";
import type { Products } from "../products.ts";
import { bindDims } from "../../ir/dim.ts";

/** Values of a run of `tokens` rows from the start of a sequence, row-major. */
export type Tape = {
  readonly tokens: number;
  /** What a value was on the way forward. */
  readonly forward: (value: Value) => Float32Array | Int32Array;
  /** The elements of a weight, as float32. */
  readonly weight: (value: Value) => Float32Array;
  readonly products: Products;
};

/** Rows of the gradient of what a matrix gives. `of` says which expert each row is of, where the matrices are stacked. */
export type OutputRows = {
  readonly weight: Value;
  readonly rows: Float32Array;
  readonly width: number;
  readonly of?: ArrayLike<number>;
};

/** Where gradients gather on the way back. */
export type Gradients = {
  readonly tape: Tape;
  /** The gradient of a value, to be added to; zeros at first. */
  readonly into: (value: Value) => Float32Array;
  /** Tell the gradient of what a weight's matrix gives. */
  readonly tell: (rows: OutputRows) => void;
};

/** The sizes of a value in a run from the start of a sequence. */
export const sizesOf = ({ type }: Value, tokens: number): readonly number[] =>
  bindDims(type.dims, { S: tokens, P: 0 });

/** What a call adds to the caches is all that they hold: such a value stands for its rows. */
export function rowsOf(nodes: readonly Node[], value: Value): Value {
  const maker = nodes.find((n) => n.results.includes(value));
  return isOp(maker, "cacheAppend") && maker.operands[1] ? maker.operands[1] : value;
}

/** A matrix [rows, cols] from element `at`, transposed. */
export function transposed(w: Float32Array, at: number, rows: number, cols: number): Float32Array {
  const out = new Float32Array(rows * cols);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = w[at + r * cols + c] ?? 0;
  return out;
}
