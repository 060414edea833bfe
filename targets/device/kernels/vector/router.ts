import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import type { OpAttrs } from "../../../../src/ir/ops/index.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";
import { named } from "../name.ts";
import { buffer, kernelOf, lines, overRows, pitch, tensor, tileOf } from "./tile.ts";

/** The router's attributes, and what its logits [S, experts] are. */
export type RouterSpec = OpAttrs<"router"> & {
  readonly logits: DType;
  readonly experts: number;
  readonly bias: boolean;
};

/**
 * The choice of experts (DeepSeek-V3, eq. 12 to 16), in float32: the greatest of a row, taken out, as often as experts are chosen, the first of
 * equals. Tensors: `logits`, `bias` f32 [experts]; `indices` i32 [S, topK], `weights` f32 [S, topK].
 */
export function router(profile: Profile, spec: RouterSpec): Kernel {
  const { logits, experts, topK, groups } = spec;
  const size = experts / groups;
  // Groups start where the vector unit can address them; columns between them never win.
  const wide = pitch("f32", size);
  const width = groups * wide;
  const isPadded = wide !== size;
  const parts = isPadded ? groups : 1;
  const part = { size: experts / parts, wide: width / parts };
  const chosen = pitch("f32", topK);
  const need = { chunk: (2 * dtypes[logits].bits) / 8 + 20, once: 8, column: 40 + 6 * chosen + 2 * pitch("f32", 1) * groups }; // prettier-ignore
  const { rows } = tileOf(profile, width, 1, need);
  const make = buffer(profile);
  const eachPart = (body: (columns: string) => string): string =>
    lines(`for g in 0 .. ${parts} {`, body(`g * ${part.wide} : ${part.size}`), "}");
  const all = (name: string): string => `${name}[0 : rows, 0 : ${width}]`;
  const column = (name: string): string => `${name}[0 : rows, 0 : 1]`;
  const picks = (name: string): string => `${name}[0 : rows, 0 : ${topK}]`;

  const softmax = lines(
    `vector maximum ${all("scores")} -> ${column("most")}`,
    `vector subColumn ${all("scores")}, ${column("most")} -> ${all("scores")}`,
    `vector exp ${all("scores")} -> ${all("scores")}`,
    `vector sum ${all("scores")} -> ${column("most")}`,
    `vector divColumn ${all("scores")}, ${column("most")} -> ${all("scores")}`,
  );
  const pick = (name: string, value: string): string =>
    lines(
      `vector isEqual ${picks("lane")} -> ${picks("one")} with j`,
      `vector mulColumn ${picks("one")}, ${column(value)} -> ${picks("one")}`,
      `vector add ${picks(name)}, ${picks("one")} -> ${picks(name)}`,
    );
  return kernelOf(
    profile,
    lines(
      `kernel ${named("router", `${topK}of${experts}`, spec.scoring, groups > 1 && `${spec.topGroups}of${groups}groups`)} for ${profile.name}`,
      "size S",
      tensor("logits", { dtype: logits, width: experts }, "in"),
      spec.bias && `tensor bias: f32[${experts}] in`,
      `tensor indices: i32[S, ${topK}] out`,
      `tensor weights: f32[S, ${topK}] out`,
      `on ${profile.vector.core} {`,
      make("lane", "f32", rows, topK),
      `vector iota -> lane[0 : ${rows}, 0 : ${topK}] with 0`,
      isPadded && make("number", "f32", rows, width),
      isPadded && `vector fill -> number[0 : ${rows}, 0 : ${width}] with 0`,
      isPadded && `for g in 0 .. ${groups} {`,
      isPadded && `vector iota -> number[0 : ${rows}, g * ${wide} : ${size}] with g * ${size}`,
      isPadded && "}",
      spec.bias && make("shift", "f32", 1, width),
      spec.bias && eachPart((columns) => `copy bias[g * ${part.size} : ${part.size}] -> shift[0 : 1, ${columns}]`), // prettier-ignore
      overRows(
        { rows, cols: width },
        1,
        lines(
          make("l0", logits, rows, width, 2),
          make("scores", "f32", rows, width),
          make("choice", "f32", rows, width),
          make("most", "f32", rows, 1),
          make("at", "i32", rows, 1),
          make("share", "f32", rows, 1),
          make("one", "f32", rows, topK),
          make("chosen", "f32", rows, topK),
          make("shares", "f32", rows, topK),
          make("found", "i32", rows, topK),
          eachPart((columns) => `copy logits[row : rows, g * ${part.size} : ${part.size}] -> l0[0 : rows, ${columns}]`), // prettier-ignore
          isPadded && `vector fill -> ${all("scores")} with -inf`,
          eachPart((columns) => `vector copy l0[0 : rows, ${columns}] -> scores[0 : rows, ${columns}]`),
          spec.scoring === "softmax" ? softmax : `vector sigmoid ${all("scores")} -> ${all("scores")}`,
          isPadded && `vector fill -> ${all("choice")} with -inf`,
          eachPart((columns) =>
            spec.bias
              ? `vector addRow scores[0 : rows, ${columns}], shift[0 : 1, ${columns}] -> choice[0 : rows, ${columns}]`
              : `vector copy scores[0 : rows, ${columns}] -> choice[0 : rows, ${columns}]`,
          ),
          groups > 1 && keepBestGroups(profile, spec, rows, size, wide),
          `vector fill -> ${picks("chosen")} with 0`,
          `vector fill -> ${picks("shares")} with 0`,
          `for j in 0 .. ${topK} {`,
          `vector argmax ${all("choice")} -> ${column("at")}`,
          `vector setAt ${all("choice")}, ${column("at")} -> ${all("choice")} with -inf`,
          isPadded
            ? `vector takeAt ${all("number")}, ${column("at")} -> ${column("share")}`
            : `vector copy ${column("at")} -> ${column("share")}`,
          pick("chosen", "share"),
          `vector takeAt ${all("scores")}, ${column("at")} -> ${column("share")}`,
          pick("shares", "share"),
          "}",
          spec.normalize &&
            lines(
              `vector sum ${picks("shares")} -> ${column("most")}`,
              `vector adds ${column("most")} -> ${column("most")} with 1e-20`,
              `vector divColumn ${picks("shares")}, ${column("most")} -> ${picks("shares")}`,
            ),
          `vector muls ${picks("shares")} -> ${picks("shares")} with ${spec.scale}`,
          `vector copy ${picks("chosen")} -> ${picks("found")}`,
          `copy ${picks("found")} -> indices[row : rows, 0 : ${topK}]`,
          `copy ${picks("shares")} -> weights[row : rows, 0 : ${topK}]`,
        ),
      ),
      "}",
    ),
  );
}

/** Takes from `choice` the experts of all groups but the best. */
function keepBestGroups(
  profile: Profile,
  { groups, topGroups, groupScore }: RouterSpec,
  rows: number,
  size: number,
  wide: number,
): string {
  const make = buffer(profile);
  const apart = pitch("f32", 1); // a group's number stands where a column can start
  const group = `choice[0 : rows, g * ${wide} : ${size}]`;
  const score = `groupScore[0 : rows, g * ${apart} : 1]`;
  const all = (name: string): string => `${name}[0 : rows, 0 : ${groups * apart}]`;
  const second = lines(
    `vector argmax ${group} -> at[0 : rows, 0 : 1]`,
    `vector copy ${group} -> others[0 : rows, 0 : ${size}]`,
    `vector setAt others[0 : rows, 0 : ${size}], at[0 : rows, 0 : 1] -> others[0 : rows, 0 : ${size}] with -inf`,
    `vector maximum others[0 : rows, 0 : ${size}] -> most[0 : rows, 0 : 1]`,
    `vector add ${score}, most[0 : rows, 0 : 1] -> ${score}`,
  );
  return lines(
    make("groupScore", "f32", rows, groups * apart),
    make("kept", "f32", rows, groups * apart),
    make("others", "f32", rows, size),
    `vector fill -> ${all("groupScore")} with -inf`,
    `vector fill -> ${all("kept")} with -inf`,
    `for g in 0 .. ${groups} {`,
    `vector maximum ${group} -> ${score}`,
    groupScore === "top2" && size > 1 && second,
    "}",
    `for i in 0 .. ${topGroups} {`,
    `vector argmax ${all("groupScore")} -> at[0 : rows, 0 : 1]`,
    `vector setAt ${all("groupScore")}, at[0 : rows, 0 : 1] -> ${all("groupScore")} with -inf`,
    `vector setAt ${all("kept")}, at[0 : rows, 0 : 1] -> ${all("kept")} with 0`,
    "}",
    `for g in 0 .. ${groups} {`,
    `vector addColumn ${group}, kept[0 : rows, g * ${apart} : 1] -> ${group}`,
    "}",
  );
}
