import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import type { OpAttrs } from "../../../../src/ir/ops/index.ts";
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";
import { named } from "../name.ts";
import { buffer, fitsTile, kernelOf, lines, overRows, pitch, tensor, type Need } from "./tile.ts";

/** The router's attributes, and what its logits [S, experts] are. */
export type RouterSpec = OpAttrs<"router"> & {
  readonly logits: DType;
  readonly experts: number;
  readonly bias: boolean;
};

/** Rows taken at a time at most: so many that what is done to one number a choice takes longer than its start. */
const mostRows = 128;

/** The most rows that fit the vector unit's space at once, as each instruction has a start-up. */
function rowsAtOnce(profile: Profile, width: number, need: Need): number {
  let rows = mostRows;
  while (rows > 1 && !fitsTile(profile, width, 1, need, { rows, cols: width })) rows--;
  return rows;
}

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
  const need = { chunk: dtypes[logits].bits / 8 + (isPadded ? 12 : 8), once: 4, column: 7 * pitch("f32", topK) + 8 + 6 * groups }; // prettier-ignore
  const rows = rowsAtOnce(profile, width, need);
  const make = buffer(profile);
  const eachPart = (body: (columns: string) => string): string =>
    lines(`for g in 0 .. ${parts} {`, body(`g * ${part.wide} : ${part.size}`), "}");
  const all = (name: string): string => `${name}[0 : rows, 0 : ${width}]`;
  const column = (name: string): string => `${name}[0 : rows, 0 : 1]`;
  const picks = (name: string): string => `${name}[0 : rows, 0 : ${topK}]`;
  const isAsLoaded = logits === "f32" && !isPadded;
  const loaded = all(isAsLoaded ? "l0" : "scores");

  const softmax = lines(
    `vector maximum ${loaded} -> ${column("most")}`,
    `vector subColumn ${loaded}, ${column("most")} -> ${all("scores")}`,
    `vector exp ${all("scores")} -> ${all("scores")}`,
    `vector sum ${all("scores")} -> ${column("most")}`,
    `vector divColumn ${all("scores")}, ${column("most")} -> ${all("scores")}`,
  );
  const pick = (name: string, value: string): string =>
    lines(
      `vector mulColumn ${picks("one")}, ${column(value)} -> ${picks("own")}`,
      `vector add ${picks(name)}, ${picks("own")} -> ${picks(name)}`,
    );
  const choices = eachPart((columns) =>
    spec.bias
      ? `vector addRow scores[0 : rows, ${columns}], shift[0 : 1, ${columns}] -> choice[0 : rows, ${columns}]`
      : `vector copy scores[0 : rows, ${columns}] -> choice[0 : rows, ${columns}]`,
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
      groups > 1 && groupColumns(profile, groups, rows),
      spec.bias && make("shift", "f32", 1, width),
      spec.bias && eachPart((columns) => `copy bias[g * ${part.size} : ${part.size}] -> shift[0 : 1, ${columns}]`), // prettier-ignore
      overRows(
        { rows, cols: width },
        1,
        lines(
          make("l0", logits, rows, width),
          make("scores", "f32", rows, width),
          make("choice", "f32", rows, width),
          make("most", "f32", rows, 1),
          make("at", "i32", rows, 1),
          make("share", "f32", rows, 1),
          make("one", "f32", rows, topK),
          make("own", "f32", rows, topK),
          make("chosen", "f32", rows, topK),
          make("shares", "f32", rows, topK),
          make("found", "i32", rows, topK),
          eachPart((columns) => `copy logits[row : rows, g * ${part.size} : ${part.size}] -> l0[0 : rows, ${columns}]`), // prettier-ignore
          isPadded && `vector fill -> ${all("scores")} with -inf`,
          !isAsLoaded && eachPart((columns) => `vector copy l0[0 : rows, ${columns}] -> scores[0 : rows, ${columns}]`), // prettier-ignore
          spec.scoring === "softmax" ? softmax : `vector sigmoid ${loaded} -> ${all("scores")}`,
          isPadded && `vector fill -> ${all("choice")} with -inf`,
          choices,
          groups > 1 && scoredGroups(profile, spec, rows, wide),
          takesGreatest(spec) && choices,
          groups > 1 && keptGroups(spec, rows, wide),
          `vector fill -> ${picks("chosen")} with 0`,
          `vector fill -> ${picks("shares")} with 0`,
          `for j in 0 .. ${topK} {`,
          `vector argmax ${all("choice")} -> ${column("at")}`,
          `vector setAt ${all("choice")}, ${column("at")} -> ${all("choice")} with -inf`,
          isPadded
            ? `vector takeAt ${all("number")}, ${column("at")} -> ${column("share")}`
            : `vector copy ${column("at")} -> ${column("share")}`,
          `vector isEqual ${picks("lane")} -> ${picks("one")} with j`,
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

/** Rows from one group's column to the next, so that each starts where the vector unit can address it. */
const apartOf = (rows: number): number => pitch("f32", rows);

/** Columns of all groups, one below the other: their scores, and how many of them stand before each where all are equal. */
function groupColumns(profile: Profile, groups: number, rows: number): string {
  const make = buffer(profile);
  const apart = apartOf(rows);
  const whole = `[0 : ${groups * apart}, 0 : 1]`;
  return lines(
    make("groupScore", "f32", groups * apart, 1),
    make("before", "f32", groups * apart, 1),
    make("ahead", "f32", groups * apart, 1),
    make("isLess", "f32", groups * apart, 1),
    `vector fill -> groupScore${whole} with 0`,
    `for g in 0 .. ${groups} {`,
    `vector fill -> before[g * ${apart} : ${apart}, 0 : 1] with g`,
    "}",
  );
}

/** Whether groups have the sum of their two greatest as a score: the greatest is taken out of `choice` to find the second. */
const takesGreatest = ({ experts, groups, groupScore }: RouterSpec): boolean =>
  groups > 1 && groupScore === "top2" && experts > groups;

/** The score of each group. */
function scoredGroups(profile: Profile, spec: RouterSpec, rows: number, wide: number): string {
  const { experts, groups } = spec;
  const make = buffer(profile);
  const size = experts / groups;
  const [group, score, at] = [`choice[0 : rows, g * ${wide} : ${size}]`, `groupScore[g * ${apartOf(rows)} : rows, 0 : 1]`, "at[0 : rows, 0 : 1]"]; // prettier-ignore
  const two = lines(
    `vector argmax ${group} -> ${at}`,
    `vector takeAt ${group}, ${at} -> ${score}`,
    `vector setAt ${group}, ${at} -> ${group} with -inf`,
    `vector maximum ${group} -> second[0 : rows, 0 : 1]`,
    `vector add ${score}, second[0 : rows, 0 : 1] -> ${score}`,
  );
  return lines(
    make("second", "f32", rows, 1),
    `for g in 0 .. ${groups} {`,
    takesGreatest(spec) ? two : `vector maximum ${group} -> ${score}`,
    "}",
  );
}

/** Takes from `choice` the experts of all groups but the best: those that fewer are ahead of, of equals the ones that stand first. */
function keptGroups({ experts, groups, topGroups }: RouterSpec, rows: number, wide: number): string {
  const apart = apartOf(rows);
  const group = `choice[0 : rows, g * ${wide} : ${experts / groups}]`;
  const whole = `ahead[0 : ${groups * apart}, 0 : 1]`;
  const later = (name: string): string => `${name}[k * ${apart} : (${groups} - k) * ${apart}, 0 : 1]`;
  const earlier = (name: string): string => `${name}[0 : (${groups} - k) * ${apart}, 0 : 1]`;
  return lines(
    `vector copy before[0 : ${groups * apart}, 0 : 1] -> ${whole}`,
    `for k in 1 .. ${groups} {`,
    `vector less ${earlier("groupScore")}, ${later("groupScore")} -> ${earlier("isLess")}`,
    `vector add ${earlier("ahead")}, ${earlier("isLess")} -> ${earlier("ahead")}`,
    `vector sub ${later("ahead")}, ${earlier("isLess")} -> ${later("ahead")}`,
    "}",
    `vector isBelow ${whole} -> ${whole} with ${topGroups}`,
    // 0 of 1, -inf of 0.
    `vector log ${whole} -> ${whole}`,
    `for g in 0 .. ${groups} {`,
    `vector addColumn ${group}, ahead[g * ${apart} : rows, 0 : 1] -> ${group}`,
    "}",
  );
}
