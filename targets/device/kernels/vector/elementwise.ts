import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { dtypes } from "../../../../src/tensor/dtype.ts";
import { named, sizeOf, typesOf } from "../name.ts";
import { besideOutputs, blockedTile, leaving, overBlocks } from "./leaving.ts";
import { columnScales, input, operand, scalesNeed } from "./operand.ts";
import { roundingText, type Rounding } from "./round-rows.ts";
import { box, buffer, fitsTile, headsOf, kernelOf, lines, overColumns, overElements, tensor, type View } from "./tile.ts"; // prettier-ignore

const bytes = ({ dtype }: View): number => dtypes[dtype].bits / 8;

/** Work on the float32 boxes `a` and `b`, its result in `to`, which may be either. */
type Work = (a: string, b: string, to: string) => string;

const works = {
  silu: (a, _, to) => `vector silu ${a} -> ${to}`,
  add: (a, b, to) => `vector add ${a}, ${b} -> ${to}`,
  mul: (a, b, to) => `vector mul ${a}, ${b} -> ${to}`,
  swiglu: (a, b, to) => `vector silu ${a} -> ${to}\nvector mul ${to}, ${b} -> ${to}`,
} as const satisfies Record<string, Work>;

/** What an elementwise kernel reads and gives. */
export type ElementwiseSpec = {
  readonly a: View;
  readonly b?: View;
  readonly out?: View;
  /** The result rounded to int8 besides, or instead; one head only. */
  readonly rounded?: Rounding;
};

/** Such as `add_192_bf16`. */
function nameOf(op: string, { a, out, rounded }: ElementwiseSpec): string {
  const types = out ? typesOf(a.dtype, out.dtype) : a.dtype;
  return named(op, sizeOf(a), types, rounded && "i8", turned(rounded), (out?.nz || rounded?.nz) && "nz");
}

const turned = (rounded: Rounding | undefined): string | false =>
  rounded !== undefined && rounded.rotation > 1 && `turned${rounded.rotation}`;

/** Work on rows, element by element in float32. Tensors: `a`, `b`; `out`, `codes` i8 [S, width] and `scales` f32 [S], those that the spec has. */
function elementwise(profile: Profile, op: keyof typeof works, spec: ElementwiseSpec): Kernel {
  const { a, b, out } = spec;
  const { width } = a;
  const heads = headsOf(a);
  const rounding = roundingText(profile, width, spec.rounded);
  const inputs = b ? [a, b] : [a];
  const scales = scalesNeed(profile, inputs, 2);
  const own = out && { operand: "out", view: out, buffer: "y", copies: 2 };
  const outputs = [own, rounding.output].flatMap((it) => (it ? [it] : []));
  const keepsRow = spec.rounded !== undefined;
  // Float32 that is not rounded is made where it is stored from.
  const isInPlace = !keepsRow && out?.dtype === "f32";
  const [usesH, usesW] = [!isInPlace, keepsRow || (b !== undefined && b.dtype !== "f32")];
  const need = {
    chunk: 2 * inputs.reduce((n, it) => n + bytes(it), 0) + (usesW ? 4 : 0) + (usesH && !keepsRow ? 4 : 0) + rounding.need.chunk + scales.chunk, // prettier-ignore
    row: keepsRow ? 4 : 0,
    once: scales.once,
    column: rounding.need.column + scales.column,
  };
  const tile = blockedTile(profile, a, outputs, need, Math.max(64, spec.rounded?.rotation ?? 1));
  const result = own && leaving(profile, own, tile);
  const make = buffer(profile);
  const rows = tile.rows * heads;
  // Rows that are rounded stay whole, as their scale is known only at their end.
  const here = isInPlace && result ? result.box : `h[0 : lines, ${keepsRow ? "c" : "0"} : cols]`;
  const first = operand(profile, "a", a, tile, 2, here);
  const second = b && operand(profile, "b", b, tile, 2, "w[0 : lines, 0 : cols]");
  const work = lines(
    isInPlace && result?.perChunk,
    first.load,
    second?.load,
    first.convert,
    second?.convert,
    works[op](first.box, second?.box ?? "", here),
    result && !isInPlace && lines(result.perChunk, `vector copy ${here} -> ${result.box}`),
    result?.chunk,
  );
  const room = lines(
    usesH && make("h", "f32", rows, keepsRow ? width : tile.cols),
    usesW && make("w", "f32", rows, tile.cols),
  );
  return kernelOf(
    profile,
    lines(
      `kernel ${nameOf(op, spec)} for ${profile.name}`,
      "size S",
      input("a", a),
      b && input("b", b),
      out && tensor("out", out, "out"),
      rounding.tensors,
      `on ${profile.vector.core} {`,
      columnScales(profile, "a", a),
      b && columnScales(profile, "b", b),
      rounding.before(tile),
      keepsRow || tile.block > 1
        ? overBlocks(
            tile,
            heads,
            lines(room, overColumns(tile, width, work), rounding.rows(tile)),
            outputs.map((it) => leaving(profile, it, tile)),
          )
        : overElements(tile, width, heads, lines(room, work)),
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

/** Rows as int8. Tensors: `a`, `codes` i8 [S, width] and `scales` f32 [S]. */
export function roundRows(profile: Profile, a: View, rounded: Rounding): Kernel {
  const { width } = a;
  const rounding = roundingText(profile, width, rounded);
  const make = buffer(profile);
  const outputs = rounding.output ? [rounding.output] : [];
  const quantum = Math.max(64, rounded.rotation);
  const chunk = 4 + rounding.need.chunk;
  // Rows of float32 are loaded where they are rounded, the next ones while these are; others are converted on the way there.
  const { need, copies } =
    [3, 2]
      .map((n) => ({ copies: n, need: { chunk, row: 4 * n, column: rounding.need.column } }))
      .find((it) => a.dtype === "f32" && fitsTile(profile, width, 1, besideOutputs(profile, it.need, outputs), { rows: 1, cols: quantum })) ??
    { copies: 1, need: { chunk: chunk + 2 * bytes(a), row: 4, column: rounding.need.column } }; // prettier-ignore
  const isDirect = copies > 1;
  const tile = blockedTile(profile, a, outputs, need, quantum);
  const place = "h[0 : lines, c : cols]";
  const { box: from, load, convert } = operand(profile, "a", a, tile, 2, place);
  const fill = isDirect
    ? `copy ${box("a", a, "row : rows", `0 : ${width}`)} -> h[0 : lines, 0 : ${width}]`
    : overColumns(tile, width, lines(load, convert, from !== place && `vector copy ${from} -> ${place}`));
  return kernelOf(
    profile,
    lines(
      `kernel ${named("roundRows", sizeOf(a), a.dtype, turned(rounded), rounded.nz && "nz")} for ${profile.name}`,
      "size S",
      tensor("a", a, "in"),
      rounding.tensors,
      `on ${profile.vector.core} {`,
      rounding.before(tile),
      overBlocks(
        tile,
        1,
        lines(
          make("h", "f32", tile.rows, width, copies),
          make("w", "f32", tile.rows, tile.cols),
          fill,
          rounding.rows(tile),
        ),
        outputs.map((it) => leaving(profile, it, tile)),
      ),
      "}",
    ),
  );
}
