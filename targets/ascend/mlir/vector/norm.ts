import type { NormSpec } from "../../../device/kernels/vector/norm.ts";
import { load, store } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import type { Scope } from "../kernel.ts";
import { alongRows, binary, converted, filled, perRow, reduced, unary, withNumber } from "../tensors.ts";
import { roundedRows } from "./round.ts";
import { blockRows, boxOf, columnsOf, floats, overRows } from "./rows.ts";

/** gain * x / sqrt(mean(x^2) + eps) over rows, in float32. */
export function rmsNorm(scope: Scope, { x, residual, more, sum, gain, eps, out, rounded }: NormSpec): void {
  const { w, size } = scope;
  const { width, heads = 1 } = x;
  const array = { name: "gain", element: elementOf(gain) };
  const gains = converted(w, "gain.real", load(w, "gain", { array, offset: 0, strides: [1], sizes: [width], valid: [width] }), "f32"); // prettier-ignore
  overRows(scope, size("S"), blockRows(heads * width), width, (block) => {
    let h = floats(w, "x", x, block);
    if (residual) {
      const r = floats(w, "residual", residual, block);
      const added = more ? binary(w, "added", "arith.addf", r, floats(w, "more", more, block)) : r;
      h = binary(w, "h", "arith.addf", h, added);
    }
    if (sum) store(w, "sum", boxOf(w, "sum", sum, block), converted(w, "total", h, elementOf(sum.dtype)));
    const squares = reduced(w, "squares", "arith.addf", binary(w, "square", "arith.mulf", h, h), 0);
    const mean = withNumber(w, "mean", "arith.mulf", squares, 1 / width);
    const root = unary(w, "root", "math.sqrt", withNumber(w, "shifted", "arith.addf", mean, eps));
    const inverse = binary(w, "inverse", "arith.divf", filled(w, "unit", 1, root.sizes, "f32"), root);
    const normed = binary(w, "normed", "arith.mulf", h, alongRows(w, "inverse.wide", inverse, h));
    const y = binary(w, "y", "arith.mulf", normed, perRow(w, "gain.wide", gains, h));
    if (rounded) roundedRows(w, block, rounded.rotation > 1 ? rounded.rotation : width, rounded, (here) => columnsOf(w, y, here)); // prettier-ignore
    if (out) store(w, "out", boxOf(w, "out", out, block), converted(w, "y.out", y, elementOf(out.dtype)));
  });
}
