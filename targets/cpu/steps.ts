import type { NodeOf, Value } from "../../src/ir/graph.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import type { Arg, Extent, Rows } from "../../src/plan/program/program.ts";
import type { LoweringContext } from "./lower.ts";
import { extentOf, fixed, rowStride, runLength, type View } from "../../src/plan/views.ts";

/** Words for writing the steps of a program. */

/** How an operator becomes steps. */
export type Rule<K extends OpName> = (cx: LoweringContext, node: NodeOf<K>) => void;

export const one: Extent = { times: 1, dim: "1" };
/** Where a view begins; the engine holds all activations in 4 bytes. */
/** Elements as the bytes that they take. */
const inBytes = (skip: Extent | undefined) => skip && { skip: { ...skip, times: skip.times * 4 } };

export const address = (view: View): Arg => ({
  kind: "buffer",
  name: view.region,
  offset: view.offset * 4,
  ...inBytes(view.skip),
});

/** The rows of a view, each one run, as a collective takes them. */
export const placed = (view: View): Rows => ({
  buffer: view.region,
  offset: view.offset * 4,
  ...inBytes(view.skip),
  rows: extentOf(view.dims[0] ?? 1),
  width: 4 * (runLength(view) ?? 1),
  stride: 4 * rowStride(view),
});
export const literal = (value: number): Arg => ({ kind: "literal", value });
export const count = (extent: Extent): Arg => ({ kind: "extent", extent });
export const rowsOf = (view: View, times = 1): Extent => extentOf(view.dims[0] ?? 1, times);
export const weightArg = ({ name }: { readonly name: string }): Arg => ({ kind: "weight", name });
/** The blocks of 16 rows that so many rows of a packed matrix make. */
export const blocks = (rows: number): Extent => ({ times: Math.ceil(rows / 16), dim: "1" });

/** Rows one after another, and their width. */
export type Flat = { readonly view: View; readonly width: number; readonly rows: Extent };

/** The rows of a view and their width, all axes after the first taken as one run. */
export function flat(cx: LoweringContext, value: Value | undefined): Flat {
  const view = cx.compactRows(value);
  return { view, width: runLength(view) ?? 1, rows: rowsOf(view) };
}

/** A view of rank 2 as one head a row. */
export const withHeads = (v: View): View =>
  v.dims.length === 3
    ? v
    : { ...v, dims: [v.dims[0] ?? 1, 1, ...v.dims.slice(1)], strides: [rowStride(v), 0, 1] };

/** Copy `heads` runs of each row from one view to another; a stride of 0 repeats. */
export function copyHeads(cx: LoweringContext, from: View, to: View): void {
  const [x, out] = [withHeads(from), withHeads(to)];
  const rows = rowsOf(out);
  cx.step(
    {
      kind: "copy",
      heads: fixed(out.dims[1], "copy"),
      n: fixed(out.dims[2], "copy"),
      ldx: rowStride(x),
      headStrideX: x.strides[1] ?? 0,
      ldo: rowStride(out),
      headStrideOut: out.strides[1] ?? 0,
    },
    [address(x), address(out), count(rows)],
    rows,
  );
}
