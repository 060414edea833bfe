import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { dtypes } from "../../../../src/tensor/dtype.ts";
import { named, sizeOf, typesOf } from "../name.ts";
import { roundingText, type Rounding } from "./round-rows.ts";
import { box, buffer, headsOf, kernelOf, lines, overColumns, overRows, tensor, tileOf, type View } from "./tile.ts"; // prettier-ignore

const bytes = ({ dtype }: View): number => dtypes[dtype].bits / 8;

/** Work on the float32 boxes `a` and `b`, its result in `a`. */
type Work = (a: string, b: string) => string;

const works = {
  copy: () => "",
  silu: (a) => `vector silu ${a} -> ${a}`,
  add: (a, b) => `vector add ${a}, ${b} -> ${a}`,
  mul: (a, b) => `vector mul ${a}, ${b} -> ${a}`,
  swiglu: (a, b) => `vector silu ${a} -> ${a}\nvector mul ${a}, ${b} -> ${a}`,
} as const satisfies Record<string, Work>;

/** What an elementwise kernel reads and gives. */
export type ElementwiseSpec = {
  readonly a: View;
  readonly b?: View;
  readonly out?: View;
  /** The result rounded to int8 besides, or instead; one head only. */
  readonly rounded?: Rounding;
};

/** Such as `add_192_bf16`; what only rounds is named so. */
function nameOf(op: keyof typeof works, { a, out, rounded }: ElementwiseSpec): string {
  const types = out ? typesOf(a.dtype, out.dtype) : a.dtype;
  const turn = rounded && rounded.rotation > 1 && `turned${rounded.rotation}`;
  return named(op === "copy" ? "roundRows" : op, sizeOf(a), types, op !== "copy" && rounded && "i8", turn);
}

/** Work on rows, element by element in float32. Tensors: `a`, `b`; `out`, `codes` i8 [S, width] and `scales` f32 [S], those that the spec has. */
function elementwise(profile: Profile, op: keyof typeof works, spec: ElementwiseSpec): Kernel {
  const { a, b, out } = spec;
  const { width } = a;
  const heads = headsOf(a);
  const rounding = roundingText(profile, width, spec.rounded);
  const views = [a, b, out].flatMap((it) => (it ? [it] : []));
  const keepsRow = spec.rounded !== undefined;
  const need = {
    chunk: 2 * views.reduce((n, it) => n + bytes(it), 0) + (keepsRow ? 4 : 8) + rounding.need.chunk,
    row: keepsRow ? 4 : 0,
    column: rounding.need.column,
  };
  const tile = tileOf(profile, width, heads, need, Math.max(64, spec.rounded?.rotation ?? 1));
  const make = buffer(profile);
  const rows = tile.rows * heads;
  // Rows that are rounded stay whole, as their scale is known only at their end.
  const here = `h[0 : lines, ${keepsRow ? "c" : "0"} : cols]`;
  const other = "w[0 : lines, 0 : cols]";
  const work = lines(
    make("a0", a.dtype, rows, tile.cols, 2),
    `copy ${box("a", a)} -> a0[0 : lines, 0 : cols]`,
    b && make("b0", b.dtype, rows, tile.cols, 2),
    b && `copy ${box("b", b)} -> b0[0 : lines, 0 : cols]`,
    `vector copy a0[0 : lines, 0 : cols] -> ${here}`,
    b && `vector copy b0[0 : lines, 0 : cols] -> ${other}`,
    works[op](here, other),
    out && make("y", out.dtype, rows, tile.cols, 2),
    out && `vector copy ${here} -> y[0 : lines, 0 : cols]`,
    out && `copy y[0 : lines, 0 : cols] -> ${box("out", out)}`,
  );
  return kernelOf(
    profile,
    lines(
      `kernel ${nameOf(op, spec)} for ${profile.name}`,
      "size S",
      tensor("a", a, "in"),
      b && tensor("b", b, "in"),
      out && tensor("out", out, "out"),
      rounding.tensors,
      `on ${profile.vector.core} {`,
      rounding.before(tile),
      overRows(
        tile,
        heads,
        lines(
          make("h", "f32", rows, keepsRow ? width : tile.cols),
          make("w", "f32", rows, tile.cols),
          overColumns(tile, width, work),
          rounding.rows(tile),
        ),
      ),
      "}",
    ),
  );
}

type Unary = Omit<ElementwiseSpec, "b">;
type Binary = ElementwiseSpec & { readonly b: View };

export const silu = (profile: Profile, spec: Unary): Kernel => elementwise(profile, "silu", spec);
export const add = (profile: Profile, spec: Binary): Kernel => elementwise(profile, "add", spec);
export const mul = (profile: Profile, spec: Binary): Kernel => elementwise(profile, "mul", spec);
/** silu(a) * b; packed operands are two views of one buffer. */
export const swiglu = (profile: Profile, spec: Binary): Kernel => elementwise(profile, "swiglu", spec);
/** Rows of float32 or bfloat16 as int8. */
export const roundRows = (profile: Profile, a: View, rounded: Rounding): Kernel =>
  elementwise(profile, "copy", { a, rounded });
