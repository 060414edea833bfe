import type { DType } from "../../tensor/dtype.ts";
import { compileExpr, type Expr } from "../schedule/expr.ts";
import type { Tensor } from "../schedule/kernel.ts";
import type { Place } from "../schedule/walk.ts";

/**
 * What a simulated device holds: floats of any width as the float32 they are exactly, whole numbers in their own arrays.
 */
export type Values = Float32Array | Int32Array | Int8Array;

/** A tensor of global memory as a launch binds it: its elements among others, and elements from one index to the next of each axis. */
export type Bound = { readonly values: Values; readonly offset: number; readonly strides: readonly number[] };

export const valuesFor = (dtype: DType, count: number): Values => {
  if (dtype === "i32") return new Int32Array(count);
  if (dtype === "i8" || dtype === "i4") return new Int8Array(count);
  return new Float32Array(count);
};

/** A box of two axes inside an array: where its rows start, and elements from one column to the next. */
export type View = {
  readonly values: Values;
  readonly starts: Int32Array;
  readonly step: number;
  readonly cols: number;
};

/** The rows of a place: all axes but the last, one after another. */
export function viewOf({ values, offset, strides }: Bound, { at, size }: Pick<Place, "at" | "size">): View {
  const last = at.length - 1;
  let first = offset;
  for (let i = 0; i <= last; i++) first += (at[i] ?? 0) * (strides[i] ?? 0);
  let starts = Int32Array.of(first);
  for (let axis = 0; axis < last; axis++) {
    const [n, stride] = [size[axis] ?? 1, strides[axis] ?? 0];
    if (n === 1) continue;
    const next = new Int32Array(starts.length * n);
    for (let i = 0; i < starts.length; i++)
      for (let j = 0; j < n; j++) next[i * n + j] = (starts[i] ?? 0) + j * stride;
    starts = next;
  }
  return { values, starts, step: strides[last] ?? 1, cols: size[last] ?? 1 };
}

/** The same box with rows for columns. */
export function transposed(view: View): View {
  const { values, starts, step, cols } = view;
  const rowStride = starts.length > 1 ? (starts[1] ?? 0) - (starts[0] ?? 0) : 1;
  const first = starts[0] ?? 0;
  return {
    values,
    starts: Int32Array.from({ length: cols }, (_, j) => first + j * step),
    step: rowStride,
    cols: starts.length,
  };
}

/** Strides of a tensor that lies row by row. */
export function rowMajor(dims: readonly number[]): readonly number[] {
  const strides = dims.map(() => 1);
  for (let i = dims.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] ?? 1) * (dims[i + 1] ?? 1);
  return strides;
}

/** Strides of a kernel's tensor in a launch of these sizes: its own, or row by row. */
export function stridesOf(tensor: Tensor, sizes: ReadonlyMap<string, number>): readonly number[] {
  const slots = [...sizes.keys()];
  const env = [...sizes.values()];
  const value = (e: Expr): number => compileExpr(e, (name) => slots.indexOf(name))(env);
  return tensor.strides?.map(value) ?? rowMajor(tensor.dims.map(value));
}
