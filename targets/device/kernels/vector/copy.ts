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
  const whole = (name: string): string => `${name}[0 : lines, 0 : cols]`;
  return {
    chunk:
      copies * bytes(from) + (from === to ? 0 : 2 * bytes(to)) + between.reduce((n, it) => n + bytes(it), 0),
    buffer: (rows: number, { cols }: Tile) => make("x0", from, rows, cols, copies),
    /** Makes of `x0` what leaves: the box `left`. */
    made: (rows: number, { cols }: Tile) =>
      lines(
        ...between.map((it) => make(`as_${it}`, it, rows, cols)),
        from !== to && make("y", to, rows, cols, 2),
        from !== to && cast(profile, { box: whole("x0"), dtype: from }, { box: whole("y"), dtype: to }, (it) => whole(`as_${it}`)), // prettier-ignore
      ),
    left: whole(from === to ? "x0" : "y"),
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
      first === "" ? tensor("to", to, "out") : tensor("to", to, "inout", `${first} + S`),
      `on ${profile.vector.core} {`,
      overElements(
        tile,
        width,
        heads,
        lines(
          way.buffer(rows, tile),
          `copy ${box("from", from)} -> x0[0 : lines, 0 : cols]`,
          way.made(rows, tile),
          `copy ${way.left} -> ${box("to", to, first === "" ? undefined : `${first} + row : rows`)}`,
        ),
      ),
      "}",
    ),
  );
};

/** Heads that a core is sent for at least: fewer take little less time. */
const worthCore = 16;

/** Rows that all heads share: loaded once, and stored for each head. Where there are fewer rows than cores, several share the heads of a row. */
function spread(profile: Profile, { from, to }: CopySpec): Kernel {
  const { width, rowStride = width } = from;
  const heads = headsOf(to);
  const way = passage(profile, from.dtype, to.dtype);
  const tile = tileOf(profile, width, 1, { chunk: way.chunk });
  return kernelOf(
    profile,
    lines(
      `kernel ${named("spread", sizeOf(to), typesOf(from.dtype, to.dtype))} for ${profile.name}`,
      "size S",
      tensor("from", { dtype: from.dtype, width, rowStride }, "in"),
      tensor("to", to, "out"),
      `on ${profile.vector.core} {
      let all = groups * cores
      let share = ceil(S, all)
      let step = ceil(share, max(1, ceil(share, ${tile.rows})))
      let cuts = max(1, min(${Math.ceil(heads / worthCore)}, all / S))
      let wide = ceil(${heads}, cuts)
      for t in group * cores + core .. ceil(S, step) * cuts step all {
      let row = t / cuts * step
      let rows = min(step, S - row)
      let lines = rows
      let first = t mod cuts * wide`,
      overColumns(
        tile,
        width,
        lines(
          way.buffer(tile.rows, tile),
          "copy from[row : rows, c : cols] -> x0[0 : lines, 0 : cols]",
          way.made(tile.rows, tile),
          `for head in first .. min(${heads}, first + wide) {`,
          `copy ${way.left} -> to[row : rows, head, c : cols]`,
          "}",
        ),
      ),
      "}",
      "}",
    ),
  );
}

/** Rows from one view to another, as reshapes, concatenations and casts ask for. Tensors: `from`, `to`. */
export const copyRows = (profile: Profile, spec: CopySpec): Kernel =>
  headsOf(spec.from) > 1 && spec.from.headStride === 0
    ? spread(profile, spec)
    : copied(profile, spec, "copy", "size S", "");

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
            way.made(tile.rows, tile),
            `copy ${way.left} -> ${box("out", out)}`,
          ),
        ),
      ),
      "}",
    ),
  );
}
