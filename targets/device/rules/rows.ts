import type { NodeOf } from "../../../src/ir/graph.ts";
import { compactStrides, fixed, sliceView } from "../../../src/plan/views.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import type { Extent } from "../../../src/plan/program/program.ts";
import type { Recipe } from "../../../src/tensor/recipe.ts";
import type { DeviceContext, DeviceRule, DeviceView } from "../context.ts";
import { isSame } from "../homes.ts";
import { appendRows, copyRows, gatherRows, type CopySpec } from "../kernels/vector/copy.ts";
import { roundRows } from "../kernels/vector/elementwise.ts";
import { restoreRows } from "../kernels/vector/restore-rows.ts";
import { rope as ropeKernel, rotationTable } from "../kernels/vector/rope.ts";
import type { View } from "../kernels/vector/tile.ts";
import { keysApart } from "./attention.ts";
import { alike, headsView, rowsIn, rowsView } from "./views.ts";
import { weightOf } from "./rowwise.ts";

const gather: DeviceRule<NodeOf<"gather">> = (cx, { operands: [entries, ids], results: [result] }) => {
  const [table, wanted, out] = [weightOf(cx, entries, "gather"), cx.view(ids), cx.output(result)];
  const spec = { table: table.dtype, entries: fixed(table.dims[0], "gather"), out: rowsView(out) };
  cx.launch(cx.kernel(gatherRows, spec), { S: rowsIn(out) }, { table, ids: wanted, out });
};

/** A copy between two views of one shape. */
function moved(a: DeviceView, b: DeviceView): CopySpec {
  const [from, to] = alike([a, b]);
  if (!from || !to) throw new Error("two views are two");
  return { from, to };
}

const concat: DeviceRule<NodeOf<"concat">> = (cx, node) => {
  const { operands, results: [result], attrs: { axis } } = node; // prettier-ignore
  const apart = keysApart(cx, node);
  if (apart) return cx.bind(result, apart);
  const whole = cx.output(result);
  let at = 0;
  for (const part of operands) {
    const from = cx.view(part);
    const size = fixed(from.dims[axis], "concat");
    const to = { ...whole, ...sliceView(whole, axis, at, at + size) };
    if (!isSame(from, to)) cx.launch(cx.kernel(copyRows, moved(from, to)), { S: rowsIn(from) }, { from, to });
    at += size;
  }
};

const cacheAppend: DeviceRule<NodeOf<"cacheAppend">> = (
  cx,
  { operands: [cache, rows], results: [result] },
) => {
  const from = cx.view(rows);
  const to = cx.cache(cache, result?.type.dims ?? []);
  cx.bind(result, to);
  if (from.in === "cache" && from.region === to.region) return;
  const kernel = cx.kernel(appendRows, moved(from, to));
  cx.launch(kernel, { S: rowsIn(from), P: { times: 1, dim: "P" } }, { from, to });
};

/** Rows of the last axis, all side by side in memory: one of them as kernels see it, and how many there are. */
function innermost(of: DeviceView): { readonly rows: Extent; readonly view: View } {
  const { width } = rowsView(of);
  const inner = of.dims.length > 1 ? fixed(of.dims.at(-1), "a cache") : 1;
  const { times, dim } = rowsIn(of);
  return { rows: { times: (times * width) / inner, dim }, view: { dtype: of.dtype, width: inner } };
}

/** What lies side by side already, or a copy that does. */
function sideBySide(cx: DeviceContext, from: DeviceView): DeviceView {
  const { width, rowStride } = rowsView(from);
  if (rowStride === width) return from;
  const to = { ...cx.scratch("dense", from.dtype, rowsIn(from), [width]), dims: from.dims };
  const dense = { ...to, strides: compactStrides(from.dims) };
  cx.launch(cx.kernel(copyRows, moved(from, dense)), { S: rowsIn(from) }, { from, to: dense });
  return dense;
}

const quantizeRows: DeviceRule<NodeOf<"quantizeRows">> = (
  cx,
  { operands: [x], results: [result, scaleResult] },
) => {
  const a = sideBySide(cx, cx.view(x));
  const [codes, scales] = [cx.output(result, "i8"), cx.output(scaleResult, "f32")];
  const { rows, view } = innermost(a);
  cx.launch(cx.kernel(roundRows, view, { rotation: 1 }), { S: rows }, { a, codes, scales });
};

const dequantizeRows: DeviceRule<NodeOf<"dequantizeRows">> = (
  cx,
  { operands: [x, scaleValue], results: [result] },
) => {
  const [codes, scales, out] = [cx.view(x), cx.view(scaleValue), cx.passing(result)];
  const { rows, view } = innermost(out);
  cx.launch(cx.kernel(restoreRows, view), { S: rows }, { codes, scales, out });
};

const numbersOf = (recipe: Recipe | undefined): readonly number[] =>
  recipe?.kind === "literal" ? recipe.values : fail("target/unsupported-op", undefined, "rope", "its frequencies are no constants"); // prettier-ignore

const rope: DeviceRule<NodeOf<"rope">> = (
  cx,
  { operands: [x, positions, invFreq], results: [result], attrs: { pairs, scale } },
) => {
  const [input, at] = [cx.view(x), cx.view(positions)];
  const out = cx.output(result, input.dtype);
  const frequencies = numbersOf(cx.recipe(invFreq));
  const table = cx.table(`rotary ${pairs} ${scale} ${cx.positions} ${frequencies.join()}`, () => {
    const values = rotationTable(frequencies, cx.positions, pairs, scale);
    return { shape: [cx.positions, values.length / cx.positions], values };
  });
  const spec = { x: headsView(input), out: headsView(out), pairs, positions: cx.positions };
  cx.launch(cx.kernel(ropeKernel, spec), { S: rowsIn(input) }, { x: input, positions: at, table, out });
};

/** Operators that bring rows to where they are wanted, and turn them. */
export const rowRules = { gather, concat, cacheAppend, quantizeRows, dequantizeRows, rope } as const;
