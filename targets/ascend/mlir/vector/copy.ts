import type { CopySpec } from "../../../device/kernels/vector/copy.ts";
import type { View } from "../../../device/kernels/vector/tile.ts";
import type { DType } from "../../../../src/tensor/dtype.ts";
import { load, readIndex, store } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import type { Scope } from "../kernel.ts";
import { alongRows, binary, broadcast, converted, type Element, type Tensor } from "../tensors.ts";
import { plus, type Index, type Writer } from "../writer.ts";
import { blockRows, boxOf, columnBox, evenPart, overColumns, overRows } from "./rows.ts";

/** Numbers of a row that are taken at a time. */
const most = 8192;

/** In another element type, by way of float32 where neither is. */
const recast = (w: Writer, x: Tensor, element: Element): Tensor =>
  x.element === element ? x : converted(w, "recast", converted(w, "real", x, "f32"), element);

/** Rows for each of so many heads, where they are not of heads already. */
const headed = (w: Writer, x: Tensor, heads: number): Tensor => {
  const [rows = 1, width = 1] = x.sizes;
  return heads > 1 && x.sizes.length === 2 ? broadcast(w, "headed", x, [rows, heads, width], [1]) : x;
};

/** Rows from one view to another, `first` rows behind its begin. */
function moved(scope: Scope, { from, to }: CopySpec, first: Index): void {
  const { w, size } = scope;
  const { width, heads = 1, rowStride = width, headStride } = from;
  // What all heads share is there once.
  const once = headStride === 0 ? { dtype: from.dtype, width, rowStride } : from;
  const part = evenPart(width, Math.max(1, Math.floor(most / heads)));
  overRows(scope, size("S"), blockRows(heads * part), width, (block) =>
    overColumns(w, block, part, (here) => {
      const x = recast(
        w,
        headed(w, load(w, "from", boxOf(w, "from", once, here)), heads),
        elementOf(to.dtype),
      );
      store(w, "to", boxOf(w, "to", to, { ...here, row: plus(w, "target", here.row, first) }), x);
    }),
  );
}

export const copyRows = (scope: Scope, spec: CopySpec): void => moved(scope, spec, 0);
export const appendRows = (scope: Scope, spec: CopySpec): void => moved(scope, spec, scope.size("P"));

export type GatherSpec = { readonly table: DType; readonly entries: number; readonly out: View };

/** Rows of a table by their numbers. */
export function gatherRows(scope: Scope, { table, out }: GatherSpec): void {
  const { w, size } = scope;
  const { width } = out;
  overRows(scope, size("S"), 1, width, (block) => {
    const id = readIndex(w, "id", { name: "ids", element: "i32" }, block.row);
    overColumns(w, block, evenPart(width, most), (here) => {
      const row = load(w, "table", boxOf(w, "table", { dtype: table, width }, { ...here, row: id }));
      store(w, "out", boxOf(w, "out", out, here), recast(w, row, elementOf(out.dtype)));
    });
  });
}

/** Codes as numbers again: each row times its scale. */
export function restoreRows(scope: Scope, out: View): void {
  const { w, size } = scope;
  const { width } = out;
  const part = evenPart(width, most);
  overRows(scope, size("S"), blockRows(part), width, (block) => {
    const scales = load(w, "scales", columnBox("scales", "f32", block));
    overColumns(w, block, part, (here) => {
      const codes = converted(
        w,
        "real",
        load(w, "codes", boxOf(w, "codes", { dtype: "i8", width }, here)),
        "f32",
      );
      const y = binary(w, "y", "arith.mulf", codes, alongRows(w, "scales.wide", scales, codes));
      store(w, "out", boxOf(w, "out", out, here), converted(w, "y.out", y, elementOf(out.dtype)));
    });
  });
}
