import type { CombineSpec } from "../../../device/kernels/attention/combine.ts";
import { load, store, type Box } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import type { Scope } from "../kernel.ts";
import { alongRows, binary, converted, filled, like, unary, type Tensor } from "../tensors.ts";
import { carrying, plus, times, type Index } from "../writer.ts";
import { blockRows, boxOf, columnBox, overRows, type Block } from "../vector/rows.ts";

/** Attention's pieces put together: sums weighed by how far each piece's maximum is below the greatest. */
export function combine(scope: Scope, { pieces, width, out }: CombineSpec): void {
  const { w, size } = scope;
  overRows(scope, size("S"), blockRows(width), width, (block) => {
    const ofPiece = (piece: Index): Block => ({ ...block, row: plus(w, "line", block.row, times(w, "lines", piece, size("S"))) }); // prettier-ignore
    const column = (name: string, piece: Index): Tensor =>
      load(w, name, columnBox(name, "f32", ofPiece(piece)));
    const none = filled(w, "none", 0, [block.most], "f32");
    const lowest = filled(w, "lowest", -Infinity, [block.most], "f32");
    const [greatest] = carrying(w, "piece", [0, pieces, 1], [lowest], (piece, [most]) => [
      binary(w, "most.now", "arith.maximumf", like(most, none), column("maxima", piece)),
    ]);
    const nothing = filled(w, "nothing", 0, [block.most, width], "f32");
    const [sum, total] = carrying(w, "piece", [0, pieces, 1], [nothing, none], (piece, [sums, weights]) => {
      const share = unary(w, "share", "math.exp", binary(w, "lower", "arith.subf", column("maxima", piece), like(greatest, none))); // prettier-ignore
      const box: Box = boxOf(w, "partial", { dtype: "f32", width }, ofPiece(piece));
      const x = load(w, "partial", box);
      const own = binary(w, "own", "arith.mulf", x, alongRows(w, "share.wide", share, x));
      const weight = binary(w, "weight", "arith.mulf", column("weights", piece), share);
      return [binary(w, "sum.now", "arith.addf", like(sums, x), own), binary(w, "total.now", "arith.addf", like(weights, none), weight)]; // prettier-ignore
    });
    const whole = like(sum, nothing);
    const y = binary(w, "y", "arith.divf", whole, alongRows(w, "total.wide", like(total, none), whole));
    store(w, "out", boxOf(w, "out", { dtype: out, width }, block), converted(w, "y.out", y, elementOf(out)));
  });
}
