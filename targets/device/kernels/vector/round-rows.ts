/** Rounding of rows to int8, as `integerLinear` rounds them: scale max |x| / 127 (1 for zeros), codes to nearest even. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { leaving, type BlockedTile, type Output } from "./leaving.ts";
import { dtypes } from "../../../../src/tensor/dtype.ts";
import {
  along,
  buffer,
  castSteps,
  lines,
  roundingWay,
  overColumns,
  tensor,
  type Tile,
  type View,
} from "./tile.ts";

/** Codes i8 [S, width], in fractals if `nz`, and scales f32 [S]; columns are rotated before, `rotation` together (1: not at all). */
export type Rounding = { readonly rotation: number; readonly nz?: boolean };

export type RoundingText = {
  readonly need: { readonly chunk: number; readonly column: number };
  /** How the codes leave. */
  readonly output: Output | undefined;
  readonly tensors: string;
  /** Before the loop over rows. */
  readonly before: (tile: Tile) => string;
  /** Rounds the rows of `h`, which it rotates in place; `w` is a chunk of float32 that it may use. */
  readonly rows: (tile: BlockedTile) => string;
};

const none: RoundingText = {
  need: { chunk: 0, column: 0 },
  output: undefined,
  tensors: "",
  before: () => "",
  rows: () => "",
};

/** The parts of a schedule that round rows of `width` float32, or nothing where they are not to be. */
export function roundingText(profile: Profile, width: number, rounding: Rounding | undefined): RoundingText {
  if (!rounding) return none;
  const { rotation, nz = false } = rounding;
  const make = buffer(profile);
  const codes: View = { dtype: "i8", width, nz };
  const output = { operand: "codes", view: codes, buffer: "code", copies: 1 };
  const byWholes = roundingWay(profile);
  const between = byWholes ?? castSteps(profile, "f32", "i8");
  return {
    need: { chunk: between.reduce((n, it) => n + dtypes[it].bits / 8, 0), column: 8 },
    output,
    tensors: lines(tensor("codes", codes, "out"), "tensor scales: f32[S] out"),
    before: ({ rows }) =>
      lines(
        make("most127", "f32", rows, 1),
        make("zeros", "f32", rows, 1),
        make("ones", "f32", rows, 1),
        "vector fill -> most127 with 127",
        "vector fill -> zeros with 0",
        "vector fill -> ones with 1",
      ),
    rows: (tile) => {
      const leave = leaving(profile, output, tile);
      return lines(
        make("most", "f32", tile.rows, 1),
        make("part", "f32", tile.rows, 1),
        make("scale", "f32", tile.rows, 1),
        make("isScale", "f32", tile.rows, 1),
        "vector fill -> most[0 : lines, 0 : 1] with 0",
        rotation > 1 &&
          `vector hadamard h[0 : lines, 0 : ${width}] -> h[0 : lines, 0 : ${width}] with ${rotation}`,
        overColumns(
          tile,
          width,
          lines(
            "vector abs h[0 : lines, c : cols] -> w[0 : lines, 0 : cols]",
            "vector maximum w[0 : lines, 0 : cols] -> part[0 : lines, 0 : 1]",
            "vector max most[0 : lines, 0 : 1], part[0 : lines, 0 : 1] -> most[0 : lines, 0 : 1]",
          ),
        ),
        "vector div most[0 : lines, 0 : 1], most127[0 : lines, 0 : 1] -> scale[0 : lines, 0 : 1]",
        "vector less zeros[0 : lines, 0 : 1], scale[0 : lines, 0 : 1] -> isScale[0 : lines, 0 : 1]",
        "vector select isScale[0 : lines, 0 : 1], scale[0 : lines, 0 : 1], ones[0 : lines, 0 : 1] -> scale[0 : lines, 0 : 1]",
        overColumns(
          tile,
          width,
          lines(
            ...between.map((it) => make(`code_${it}`, it, tile.rows, tile.cols)),
            leave.perChunk,
            "vector divColumn h[0 : lines, c : cols], scale[0 : lines, 0 : 1] -> w[0 : lines, 0 : cols]",
            !byWholes && "vector round w[0 : lines, 0 : cols] -> w[0 : lines, 0 : cols]",
            along([
              ...["w", ...between.map((it) => `code_${it}`)].map((it) => `${it}[0 : lines, 0 : cols]`),
              leave.box,
            ]),
            leave.chunk,
          ),
        ),
        "copy scale[0 : lines, 0 : 1] -> scales[row : rows]",
      );
    },
  };
}
