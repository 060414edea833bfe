import type { Rounding } from "../../../device/kernels/vector/round-rows.ts";
import { store } from "../boxes.ts";
import {
  alongRows,
  binary,
  compared,
  filled,
  like,
  nearestBytes,
  reduced,
  selected,
  unary,
  withNumber,
  type Tensor,
} from "../tensors.ts";
import { carrying, type Writer } from "../writer.ts";
import { turned } from "./hadamard.ts";
import { boxOf, columnBox, overColumns, type Block } from "./rows.ts";

/**
 * Rows rounded to int8: scale max |x| / 127 (1 for zeros), codes to nearest even. A row too long to be kept is made twice, `part` columns at a
 * time: for its scale, and for its codes.
 */
export function roundedRows(
  w: Writer,
  block: Block,
  part: number,
  { rotation }: Rounding,
  made: (block: Block) => Tensor,
): void {
  const own = (here: Block): Tensor => (rotation > 1 ? turned(w, made(here)) : made(here));
  const whole = part === block.columns ? own(block) : undefined;
  const scale = scaleOf(w, mostOf(w, block, part, whole, own));
  store(w, "scales", columnBox("scales", "f32", block), scale);
  overColumns(w, block, part, (here) => {
    const h = whole ?? own(here);
    const steps = binary(w, "steps", "arith.divf", h, alongRows(w, "scale.wide", scale, h));
    const codes = nearestBytes(w, "code", steps);
    store(w, "codes", boxOf(w, "codes", { dtype: "i8", width: block.columns }, here), codes);
  });
}

/** The greatest |x| of each row. */
function mostOf(
  w: Writer,
  block: Block,
  part: number,
  whole: Tensor | undefined,
  own: (block: Block) => Tensor,
): Tensor {
  const greatest = (h: Tensor): Tensor =>
    reduced(w, "most", "arith.maximumf", unary(w, "size", "math.absf", h), 0);
  if (whole) return greatest(whole);
  const none = filled(w, "most.first", 0, [block.most], "f32");
  const [found] = carrying(w, "column", [0, block.columns, part], [none], (at, [most]) => {
    const here = { ...block, column: at, columns: part };
    return [binary(w, "most.now", "arith.maximumf", like(most, none), greatest(own(here)))];
  });
  return like(found, none);
}

function scaleOf(w: Writer, most: Tensor): Tensor {
  const scale = withNumber(w, "scale.all", "arith.divf", most, 127);
  const isScale = compared(w, "is.scale", "ogt", scale, filled(w, "none", 0, scale.sizes, "f32"));
  return selected(w, "scale", isScale, scale, filled(w, "unit", 1, scale.sizes, "f32"));
}
