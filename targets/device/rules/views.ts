import type { NodeOf } from "../../../src/ir/graph.ts";
import { extentOf, fixed, reshapeView, runLength, sliceView } from "../../../src/plan/views.ts";
import type { Extent } from "../../../src/plan/program/program.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import type { View } from "../kernels/vector/tile.ts";
import type { DeviceRule, DeviceView } from "../context.ts";

/** A device view as kernels of the vector cores take it: rows of one run, or of heads. */
export function rowsView(view: DeviceView): View {
  const run = runLength(view);
  const [rowStride = 1, headStride = 1] = view.strides;
  if (run !== undefined) return { dtype: view.dtype, width: run, rowStride };
  const [, heads, width] = view.dims.map((d, i) => (i === 0 ? 0 : fixed(d, "a view")));
  if (view.dims.length !== 3 || heads === undefined || width === undefined)
    return fail("target/unsupported-op", undefined, "view", "its rows are neither one run nor heads");
  return { dtype: view.dtype, width, heads, rowStride, headStride };
}

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
