import type { NodeOf } from "../../../src/ir/graph.ts";
import { extentOf, fixed, reshapeView, runLength, sliceView } from "../../../src/plan/views.ts";
import type { Extent } from "../../../src/plan/program/program.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import type { View } from "../kernels/vector/tile.ts";
import type { DeviceRule, DeviceView } from "../context.ts";

/** A view as rows of one run each; its strides beyond the first must be those of a run. */
export function rowsView(view: DeviceView): View {
  const width = runLength(view);
  if (width === undefined) return fail("target/unsupported-op", undefined, "view", "its rows are no runs");
  return {
    dtype: view.dtype,
    width,
    rowStride: view.strides[0] ?? 1,
    ...(view.nz && { nz: true }),
    ...(view.sums && { isSums: true }),
  };
}

/** A view as rows of heads; one of rank 2 has one head. */
export function headsView(view: DeviceView): View {
  const [rowStride = 1, headStride = 1] = view.strides;
  const sizes = view.dims.map((d, i) => (i === 0 ? 0 : fixed(d, "a view")));
  if (view.dims.length === 2)
    return { dtype: view.dtype, width: sizes[1] ?? 1, rowStride, ...(view.sums && { isSums: true }) };
  const [, heads = 1, width = 1] = sizes;
  return { dtype: view.dtype, width, heads, rowStride, headStride };
}

/** Views of one shape, all as rows of runs where all are such, else all as rows of heads. */
export const alike = (views: readonly DeviceView[]): readonly View[] =>
  views.map(views.every((it) => runLength(it) !== undefined) ? rowsView : headsView);

/** How many rows a view has. */
export const rowsIn = (view: DeviceView): Extent => extentOf(view.dims[0] ?? 1);

const reshape: DeviceRule<NodeOf<"reshape">> = (cx, { operands: [x], results: [out] }) => {
  const from = cx.view(x);
  const free = reshapeView(from, out?.type.dims ?? []);
  if (!free) return fail("target/unsupported-op", undefined, "reshape", "its rows are no runs of memory");
  cx.bind(out, { ...from, ...free });
};

const slice: DeviceRule<NodeOf<"slice">> = (cx, { operands: [x], results: [out], attrs }) => {
  const from = cx.view(x);
  cx.bind(out, { ...from, ...sliceView(from, attrs.axis, attrs.begin, attrs.end) });
};

const broadcast: DeviceRule<NodeOf<"broadcast">> = (cx, { operands: [x], results: [out] }) => {
  const from = cx.view(x);
  const dims = out?.type.dims ?? [];
  const strides = from.strides.map((s, i) => (from.dims[i] === 1 && dims[i] !== 1 ? 0 : s));
  cx.bind(out, { ...from, dims, strides });
};

/** Operators that only look at memory in another way. */
export const viewRules = { reshape, slice, broadcast } as const;
