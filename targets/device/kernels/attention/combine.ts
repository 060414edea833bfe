/** What attention over pieces of the keys gives, put together (flash decoding, Dao et al. 2023): sums weighed by how far each piece's maximum is below the greatest. */
import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";
import { named } from "../name.ts";
import { buffer, copies, kernelOf, lines, overColumns, overRows, tileOf } from "../vector/tile.ts";

export type CombineSpec = {
  readonly pieces: number;
  /** Columns of a row, and what the result is of. */
  readonly width: number;
  readonly out: DType;
};

/** Rows of S heads in all. Tensors: f32 `partial` [pieces, S, width], `weights` and `maxima` [pieces, S, 1]; `out` [S, width]. */
export function combine(profile: Profile, { pieces, width, out }: CombineSpec): Kernel {
  const need = { chunk: copies * 4 + 4 + (2 * dtypes[out].bits) / 8, column: 4 * 8 * pieces };
  const tile = tileOf(profile, width, 1, need);
  const make = buffer(profile);
  const column = (name: string): string => make(name, "f32", tile.rows, 1);
  // A number a row, those of a piece below those of the one before.
  const numbers = (name: string, of: string): string =>
    lines(
      `buffer ${name}: ${profile.vector.space} f32[${pieces * tile.rows}, 8]`,
      `copy ${of}[0 : ${pieces}, row : rows, 0 : 1] -> ${name}[0 : ${pieces} * rows, 0 : 1]`,
    );
  const all = (name: string): string => `${name}[0 : ${pieces} * rows, 0 : 1]`;
  const one = (name: string): string => `${name}[piece * rows : rows, 0 : 1]`;
  const here = (name: string): string => `${name}[0 : rows, 0 : 1]`;
  const chunk = (name: string): string => `${name}[0 : rows, 0 : cols]`;
  const overPieces = (...body: readonly string[]): string => lines(`for piece in 0 .. ${pieces} {`, ...body, "}"); // prettier-ignore
  const work = lines(
    numbers("m", "maxima"),
    numbers("l", "weights"),
    column("most"),
    `vector copy ${here("m")} -> ${here("most")}`,
    overPieces(`vector max ${one("m")}, ${here("most")} -> ${here("most")}`),
    overPieces(`vector sub ${one("m")}, ${here("most")} -> ${one("m")}`),
    `vector exp ${all("m")} -> ${all("m")}`,
    `vector mul ${all("l")}, ${all("m")} -> ${all("l")}`,
    column("total"),
    `vector fill -> ${here("total")} with 0`,
    overPieces(`vector add ${here("total")}, ${one("l")} -> ${here("total")}`),
    overColumns(
      tile,
      width,
      lines(
        make("sum", "f32", tile.rows, tile.cols),
        `vector fill -> ${chunk("sum")} with 0`,
        overPieces(
          make("x", "f32", tile.rows, tile.cols, copies),
          `copy partial[piece, row : rows, c : cols] -> ${chunk("x")}`,
          `vector mulColumn ${chunk("x")}, ${one("m")} -> ${chunk("x")}`,
          `vector add ${chunk("sum")}, ${chunk("x")} -> ${chunk("sum")}`,
        ),
        `vector divColumn ${chunk("sum")}, ${here("total")} -> ${chunk("sum")}`,
        make("y", out, tile.rows, tile.cols, 2),
        `vector copy ${chunk("sum")} -> ${chunk("y")}`,
        `copy ${chunk("y")} -> out[row : rows, c : cols]`,
      ),
    ),
  );
  return kernelOf(
    profile,
    lines(
      `kernel ${named("combine", `${pieces}x${width}`, out)} for ${profile.name}`,
      "size S",
      `tensor partial: f32[${pieces}, S, ${width}] in`,
      `tensor weights: f32[${pieces}, S, 1] in`,
      `tensor maxima: f32[${pieces}, S, 1] in`,
      `tensor out: ${out}[S, ${width}] out`,
      `on ${profile.vector.core} {`,
      overRows(tile, 1, work),
      "}",
    ),
  );
}
