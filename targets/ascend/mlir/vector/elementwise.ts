import type { ElementwiseSpec } from "../../../device/kernels/vector/elementwise.ts";
import { store } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import type { Scope } from "../kernel.ts";
import { binary, converted, filled, unary, type Tensor } from "../tensors.ts";
import type { Writer } from "../writer.ts";
import { blockRows, boxOf, evenPart, floats, overColumns, overRows, type Block } from "./rows.ts";
import { roundedRows } from "./round.ts";

/** x / (1 + exp(-x)). */
function silu(w: Writer, x: Tensor): Tensor {
  const none = filled(w, "none", 0, x.sizes, "f32");
  const power = unary(w, "power", "math.exp", binary(w, "negative", "arith.subf", none, x));
  const below = binary(w, "below", "arith.addf", filled(w, "unit", 1, x.sizes, "f32"), power);
  return binary(w, "silu", "arith.divf", x, below);
}

const sameAs = (_: Writer, a: Tensor): Tensor => a;
const works = {
  copy: sameAs,
  silu: (w: Writer, a: Tensor): Tensor => silu(w, a),
  add: (w: Writer, a: Tensor, b: Tensor): Tensor => binary(w, "h", "arith.addf", a, b),
  mul: (w: Writer, a: Tensor, b: Tensor): Tensor => binary(w, "h", "arith.mulf", a, b),
  swiglu: (w: Writer, a: Tensor, b: Tensor): Tensor => binary(w, "h", "arith.mulf", silu(w, a), b),
} as const;

/** Columns that are taken at a time where a row is longer. */
const mostColumns = 4096;

/** Work on rows, element by element in float32; rounded rows as `roundedRows` has them. */
export function elementwise(
  scope: Scope,
  op: keyof typeof works,
  { a, b, out, rounded }: ElementwiseSpec,
): void {
  const { w, size } = scope;
  const { width, heads = 1 } = a;
  const turns = (rounded?.rotation ?? 1) > 1;
  const part = turns && rounded ? rounded.rotation : evenPart(width, mostColumns);
  const made = (block: Block): Tensor => {
    const x = floats(w, "a", a, block);
    return works[op](w, x, b ? floats(w, "b", b, block) : x);
  };
  overRows(scope, size("S"), blockRows(heads * part), width, (block) => {
    if (out)
      overColumns(w, block, part, (here) =>
        store(w, "out", boxOf(w, "out", out, here), converted(w, "y", made(here), elementOf(out.dtype))),
      );
    if (rounded) roundedRows(w, block, part, rounded, made);
  });
}
