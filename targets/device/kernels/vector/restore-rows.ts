import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";
import { named, typesOf } from "../name.ts";
import { box, buffer, cast, castSteps, copies, kernelOf, lines, overColumns, overRows, tensor, tileOf, type View } from "./tile.ts"; // prettier-ignore

const bytes = (dtype: DType): number => dtypes[dtype].bits / 8;

/** Codes as numbers again: each row times its scale, in float32. Tensors: `codes` i8 [S, width], `scales` f32 [S, 1], `out`. */
export function restoreRows(profile: Profile, out: View): Kernel {
  const { width } = out;
  const codes: View = { dtype: "i8", width };
  const make = buffer(profile);
  const [widening, narrowing] = [castSteps(profile, "i8", "f32"), castSteps(profile, "f32", out.dtype)];
  const isFloat = out.dtype === "f32";
  const steps = [...widening, ...narrowing].reduce((n, it) => n + bytes(it), 0);
  const chunk = copies * bytes("i8") + 4 * (isFloat ? 2 : 1) + steps + (isFloat ? 0 : 2 * bytes(out.dtype));
  const tile = tileOf(profile, width, 1, { chunk, column: 2 });
  const whole = (name: string): string => `${name}[0 : rows, 0 : cols]`;
  const changed = (from: string, fromType: DType, into: string, intoType: DType): string =>
    lines(
      ...castSteps(profile, fromType, intoType).map((it) => make(`${into}_${it}`, it, tile.rows, tile.cols)),
      make(into, intoType, tile.rows, tile.cols, intoType === out.dtype ? 2 : 1),
      cast(profile, { box: whole(from), dtype: fromType }, { box: whole(into), dtype: intoType }, (it) => whole(`${into}_${it}`)), // prettier-ignore
    );
  return kernelOf(
    profile,
    lines(
      `kernel ${named("restoreRows", width, typesOf("i8", out.dtype))} for ${profile.name}`,
      "size S",
      tensor("codes", codes, "in"),
      "tensor scales: f32[S, 1] in",
      tensor("out", out, "out"),
      `on ${profile.vector.core} {`,
      overRows(
        tile,
        1,
        lines(
          make("scale", "f32", tile.rows, 1, 2),
          "copy scales[row : rows, 0 : 1] -> scale[0 : rows, 0 : 1]",
          overColumns(
            tile,
            width,
            lines(
              make("code", "i8", tile.rows, tile.cols, copies),
              `copy ${box("codes", codes)} -> ${whole("code")}`,
              changed("code", "i8", "real", "f32"),
              `vector mulColumn ${whole("real")}, scale[0 : rows, 0 : 1] -> ${whole("real")}`,
              !isFloat && changed("real", "f32", "y", out.dtype),
              `copy ${whole(isFloat ? "real" : "y")} -> ${box("out", out)}`,
            ),
          ),
        ),
      ),
      "}",
    ),
  );
}
