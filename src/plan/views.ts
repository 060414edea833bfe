import type { Extent } from "./program/program.ts";
import { fail } from "../support/diagnostics.ts";
import { dimNames, subtractDims, type Dim } from "../ir/dim.ts";

/**
 * Where a value lies in memory: a strided window on a buffer or a cache. Reshapes and slices make new views,
 * no copies. Strides and offsets are in elements; the first axis is the tokens or the positions.
 */
export type View = {
  readonly region: string;
  readonly offset: number;
  /** Further elements before the first, as many as the call tells. */
  readonly skip?: Extent | undefined;
  readonly dims: readonly Dim[];
  readonly strides: readonly number[];
};

/** A dimension of tokens or positions as the engine counts it. P+S is T. */
export function extentOf(dim: Dim, times = 1): Extent {
  if (typeof dim === "number") return { times: times * dim, dim: "1" };
  return { times, dim: dimNames(dim).includes("P") ? "T" : dim };
}

/** Row-major strides of static trailing axes. */
export function compactStrides(dims: readonly Dim[]): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (let i = dims.length - 1; i >= 0; i--) {
    strides.unshift(stride);
    stride *= Number(dims[i]);
  }
  return strides;
}

export const compactView = (region: string, dims: readonly Dim[]): View => ({
  region,
  offset: 0,
  dims,
  strides: compactStrides(dims),
});

/** Elements from one row to the next. */
export const rowStride = (view: View): number => view.strides[0] ?? 1;

/** The axes after the first as one run of memory, if they are one: its length. */
export function runLength(view: View): number | undefined {
  let run = 1;
  for (let i = view.dims.length - 1; i >= 1; i--) {
    const size = Number(view.dims[i]);
    if (size !== 1 && view.strides[i] !== run) return undefined;
    run *= size;
  }
  return run;
}

/** The same memory in another shape, where the first axis stays and the rest is one run. */
export function reshapeView(view: View, dims: readonly Dim[]): View | undefined {
  if (view.dims[0] === dims[0] && runLength(view) !== undefined)
    return { ...view, dims, strides: [rowStride(view), ...compactStrides(dims).slice(1)] };
  const squeezed = dims.filter((d, i) => i === 0 || d !== 1);
  const kept = view.dims.filter((d, i) => i === 0 || d !== 1);
  if (squeezed.length !== kept.length || squeezed.some((d, i) => d !== kept[i])) return undefined;
  const strides = view.strides.filter((_, i) => i === 0 || view.dims[i] !== 1);
  let next = 0;
  return { ...view, dims, strides: dims.map((d, i) => (i === 0 || d !== 1 ? (strides[next++] ?? 1) : 0)) };
}

/** Elements begin..end of an axis; where they begin may be known only when the program runs. */
export function sliceView(view: View, axis: number, begin: Dim, end: Dim): View {
  const stride = view.strides[axis] ?? 0;
  const dims = view.dims.with(axis, subtractDims(end, begin));
  if (typeof begin === "number") return { ...view, offset: view.offset + begin * stride, dims };
  if (view.skip) return fail("target/unsupported-op", undefined, "slice", "what it cuts was cut before");
  return { ...view, skip: extentOf(begin, stride), dims };
}

/** A number where the target needs one; a named dim there is a graph this target cannot take. */
export function fixed(dim: Dim | undefined, op: string): number {
  if (typeof dim === "number") return dim;
  return fail("target/unsupported-op", undefined, op, `dimension ${String(dim)} must be a number`);
}
