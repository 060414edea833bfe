import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";
import { named, sizeOf, typesOf } from "../name.ts";
import { box, buffer, cast, castSteps, copies, headsOf, held, kernelOf, lines, overColumns, overElements, overNumberedRows, tensor, tileOf, type Tile, type View } from "./tile.ts"; // prettier-ignore

const bytes = (dtype: DType): number => dtypes[dtype].bits / 8;

/** A chunk on its way through the vector unit's space: what is loaded into `x0` leaves it as it is, or by way of other dtypes. */
function passage(profile: Profile, from: DType, to: DType) {
  const make = buffer(profile);
  const between = from === to ? [] : castSteps(profile, from, to);
  const last = from === to ? "x0" : "y";
  const whole = (name: string): string => `${name}[0 : lines, 0 : cols]`;
  return {
    chunk:
      copies * bytes(from) + (from === to ? 0 : 2 * bytes(to)) + between.reduce((n, it) => n + bytes(it), 0),
    buffer: (rows: number, { cols }: Tile) => make("x0", from, rows, cols, copies),
    /** From `x0` to an operand. */
    out: (rows: number, { cols }: Tile, target: string) =>
      lines(
        ...between.map((it) => make(`as_${it}`, it, rows, cols)),
        from !== to && make("y", to, rows, cols, 2),
        from !== to && cast(profile, { box: whole("x0"), dtype: from }, { box: whole("y"), dtype: to }, (it) => whole(`as_${it}`)), // prettier-ignore
        `copy ${whole(last)} -> ${target}`,
      ),
  };
}

/** What a copy reads and writes; its dtype may change on the way. */
export type CopySpec = { readonly from: View; readonly to: View };

const copied = (
  profile: Profile,
  { from, to }: CopySpec,
  name: string,
  sizes: string,
  first: string,
): Kernel => {
  const { width } = from;
  const heads = headsOf(from);
  const way = passage(profile, from.dtype, to.dtype);
  const tile = tileOf(profile, width, heads, { chunk: way.chunk });
  const rows = tile.rows * heads;
  return kernelOf(
    profile,
    lines(
      `kernel ${named(name, sizeOf(from), typesOf(from.dtype, to.dtype))} for ${profile.name}`,
      sizes,
      tensor("from", from, "in"),
      tensor("to", to, "out", first === "" ? "S" : `${first} + S`),
      `on ${profile.vector.core} {`,
      overElements(
        tile,
        width,
        heads,
        lines(
          way.buffer(rows, tile),
          `copy ${box("from", from)} -> x0[0 : lines, 0 : cols]`,
          way.out(rows, tile, box("to", to, first === "" ? undefined : `${first} + row : rows`)),
        ),
      ),
      "}",
    ),
  );
};

/** Rows from one view to another, as reshapes, concatenations and casts ask for. Tensors: `from`, `to`. */
export const copyRows = (profile: Profile, spec: CopySpec): Kernel => copied(profile, spec, "copy", "size S", ""); // prettier-ignore

/** S rows behind the P that a cache holds. Tensors: `from` of S rows, `to` of P + S. */
export const appendRows = (profile: Profile, spec: CopySpec): Kernel =>
  copied(profile, spec, "cacheAppend", "size S\nsize P", "P");

/** Rows of a table by their numbers. Tensors: `table` [entries, width], `ids` i32 [S], `out`. */
export function gatherRows(
  profile: Profile,
  { table, entries, out }: { readonly table: DType; readonly entries: number; readonly out: View },
): Kernel {
  const { width } = out;
  const way = passage(profile, table, out.dtype);
  const tile = tileOf(profile, width, 1, { chunk: way.chunk, once: (8 * held) / width });
  const make = buffer(profile);
  return kernelOf(
    profile,
    lines(
      `kernel ${named("gather", `${entries}x${width}`, typesOf(table, out.dtype))} for ${profile.name}`,
      "size S",
      `tensor table: ${table}[${entries}, ${width}] in`,
      "tensor ids: i32[S] in",
      tensor("out", out, "out"),
      `on ${profile.vector.core} {`,
      overNumberedRows(
        tile,
        1,
        lines(make("wanted", "i32", 1, held, 2), "copy ids[block : some] -> wanted[0 : 1, 0 : some]"),
        overColumns(
          tile,
          width,
          lines(
            way.buffer(tile.rows, tile),
            "for r in 0 .. rows {",
            "read id = wanted[0, at + r]",
            "copy table[id, c : cols] -> x0[r, 0 : cols]",
            "}",
            way.out(tile.rows, tile, box("out", out)),
          ),
        ),
      ),
      "}",
    ),
  );
}
