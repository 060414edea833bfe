import type { Value } from "../../src/ir/graph.ts";
import { compactStrides, fixed, rowStride, type View } from "../../src/plan/views.ts";
import { codesWidth } from "./kernels/quantize.ts";
import type { LoweringContext } from "./lower.ts";
import { address, copyHeads, count, flat, rowsOf, type Rule } from "./steps.ts";

/** Rows of the last axis, of all heads of a token one after another. */
function headRows(value: Value | undefined): { readonly heads: number; readonly width: number } {
  const sizes = (value?.type.dims ?? []).slice(1).map((d) => fixed(d, "quantizeRows"));
  return { heads: sizes.slice(0, -1).reduce((n, d) => n * d, 1), width: sizes.at(-1) ?? 1 };
}

/** The same rows with nothing between them. */
function withoutGaps(cx: LoweringContext, view: View, heads: number, width: number): View {
  const strides = compactStrides(view.dims);
  if (view.strides.every((s, i) => s === strides[i] || view.dims[i] === 1)) return view;
  const room = cx.scratchBuffer("rows", rowsOf(view), 4 * heads * width);
  const to = { ...room, dims: view.dims, strides };
  copyHeads(cx, view, to);
  return to;
}

export const quantizeRows: Rule<"quantizeRows"> = (cx, { operands: [x], results: [codes, scales] }) => {
  const { heads, width } = headRows(x);
  const from = withoutGaps(cx, cx.view(x), heads, width);
  const rows = rowsOf(from);
  const codesRoom = cx.scratchBuffer("codes", rows, heads * codesWidth(width));
  const scalesRoom = cx.scratchBuffer("scales", rows, 4 * heads);
  const each = rowsOf(from, heads);
  cx.step(
    { kind: "quantizeRows", k: width, ldx: width },
    [address(from), address(codesRoom), address(scalesRoom), count(each)],
    each,
  );
  const dims = scales?.type.dims ?? [];
  cx.bind(codes, codesRoom);
  cx.bind(scales, { ...scalesRoom, dims, strides: compactStrides(dims) });
};

export const dequantizeRows: Rule<"dequantizeRows"> = (cx, { operands: [codes, scales], results: [out] }) => {
  const { heads, width } = headRows(codes);
  const to = cx.output(out);
  const rows = rowsOf(to, heads);
  cx.step(
    { kind: "dequantizeRows", k: width },
    [address(cx.view(codes)), address(cx.view(scales)), address(to), count(rows)],
    rows,
  );
};

/** Rows behind those of a cache: as words, whatever they hold. */
export const cacheAppend: Rule<"cacheAppend"> = (cx, { operands: [cache, rows], results: [out] }) => {
  const target = cx.cache(cache);
  const isCodes = rows?.type.dtype === "i8";
  const from = isCodes ? codeRows(cx, rows) : flat(cx, rows);
  cx.step(
    {
      kind: "copy",
      heads: 1,
      n: from.width,
      ldx: rowStride(from.view),
      headStrideX: 0,
      ldo: from.width,
      headStrideOut: 0,
    },
    [address(from.view), { kind: "cacheEnd", name: target.name }, count(from.rows)],
    from.rows,
  );
  cx.bind(out, target.view(out?.type.dims ?? []));
};

/** Rows of codes as words, as `quantizeRows` leaves them. */
function codeRows(cx: LoweringContext, value: Value | undefined) {
  const { heads, width } = headRows(value);
  const words = (heads * codesWidth(width)) / 4;
  const view = { ...cx.view(value), dims: value?.type.dims ?? [], strides: [words, 1] };
  return { view, width: words, rows: rowsOf(view) };
}
