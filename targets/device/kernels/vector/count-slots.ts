/**
 * How many slots of each part of the tokens go to each expert: with that, every core finds the places of its own tokens' slots (`place-slots.ts`).
 * A slot is one choice of one token, which chooses no expert twice.
 */
import type { Profile } from "../../../../src/machine/profile.ts";
import { coreCount, spaceOf, usableBytes } from "../../../../src/machine/rates.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { named } from "../name.ts";
import type { GroupSpec } from "./group-slots.ts";
import { buffer, fitsTile, kernelOf, lines, pitch } from "./tile.ts";

/** Numbers that lie side by side where the machine can address them: as many experts stand in a run. */
export const lanes = pitch("i32", 1);

/**
 * How experts stand in a row of numbers: those of a lane follow one another from run to run, lane after lane, so that numbers of all experts are added
 * up by whole runs. The first place is that of experts elsewhere, where there are such, and one is behind the last, where all groups end.
 */
export type ExpertRow = { readonly runs: number; readonly width: number; readonly first: number };

export function expertRow({ experts, partial }: GroupSpec): ExpertRow {
  const first = partial ? 1 : 0;
  const runs = Math.ceil((first + experts + 1) / lanes);
  return { runs, width: runs * lanes, first };
}

/** Parts whose counts are loaded at once: they take a third of the room at most. */
export const partsAtOnce = (profile: Profile, spec: GroupSpec): number => {
  const room = usableBytes(spaceOf(profile, profile.vector.space)) / 3;
  const fitting = Math.floor(room / (4 * expertRow(spec).width));
  return Math.max(1, Math.min(coreCount(profile, profile.vector.core), fitting));
};

/** Tokens whose slots a core takes at once: as many as fit, all of its share where it can be. */
export const tokensAtOnce = (profile: Profile, spec: GroupSpec): number => {
  const { width } = expertRow(spec);
  const offsets = Math.ceil((spec.experts + 1) / coreCount(profile, profile.vector.core));
  const numbers = lanes * (2 * offsets + 7 * lanes);
  const need = { chunk: 4, column: 6 * pitch("i32", spec.topK) + 1, once: 28 + 4 * (partsAtOnce(profile, spec) + numbers / width) }; // prettier-ignore
  let rows = mostTokens;
  while (rows > 1 && !fitsTile(profile, width, 1, need, { rows, cols: width })) rows--;
  return rows;
};

/** Tokens that no core has more of where there are a few thousand. */
const mostTokens = 256;

/** A core's share of the tokens, `rows` from `block` on at a time; below it the parts of other cores. */
export const overParts = (rows: number, body: string): string =>
  lines(
    "let share = ceil(S, groups * cores)",
    `let step = max(1, ceil(share, max(1, ceil(share, ${rows}))))`,
    "let from = min(S, part * share)",
    "let to = min(S, from + share)",
    "for block in from .. to step step {",
    "let rows = min(step, to - block)",
    body,
    "}",
  );

/** The column of places of each token's j-th choice. */
export const choiceAt = (rows: number): string => `at[j * ${pitch("i32", rows)} : rows, 0 : 1]`;

/** Marks in `hot`, of which so many rows are cleared before, the experts that each token of a block chose; `choiceAt` says where those stand. */
export function chosenSlots(profile: Profile, spec: GroupSpec, rows: number, cleared: string): string {
  const { topK } = spec;
  const { runs, width, first } = expertRow(spec);
  const make = buffer(profile);
  const all = (name: string): string => `${name}[0 : rows, 0 : ${topK}]`;
  return lines(
    make("chosen", "i32", rows, topK),
    make("expert", "f32", rows, topK),
    make("lane", "f32", rows, topK),
    make("spot", "i32", rows, topK),
    make("number", "i32", rows, 1),
    make("at", "i32", topK * pitch("i32", rows), 1),
    `copy indices[block : rows, 0 : ${topK}] -> ${all("chosen")}`,
    `vector copy ${all("chosen")} -> ${all("expert")}`,
    first > 0 && `vector adds ${all("expert")} -> ${all("expert")} with ${first}`,
    // The lane is the expert over the runs, rounded down; rounded to nearest, half of them less: never a tie.
    `vector adds ${all("expert")} -> ${all("lane")} with ${(1 - runs) / 2}`,
    `vector muls ${all("lane")} -> ${all("lane")} with ${1 / runs}`,
    `vector round ${all("lane")} -> ${all("lane")}`,
    `vector muls ${all("lane")} -> ${all("lane")} with ${1 - width}`,
    `vector muls ${all("expert")} -> ${all("expert")} with ${lanes}`,
    `vector add ${all("expert")}, ${all("lane")} -> ${all("expert")}`,
    `vector copy ${all("expert")} -> ${all("spot")}`,
    `vector fill -> hot[0 : ${cleared}, 0 : ${width}] with 0`,
    `for j in 0 .. ${topK} {`,
    "vector fill -> number[0 : rows, 0 : 1] with j",
    `vector takeAt ${all("spot")}, number[0 : rows, 0 : 1] -> ${choiceAt(rows)}`,
    `vector setAt hot[0 : rows, 0 : ${width}], ${choiceAt(rows)} -> hot[0 : rows, 0 : ${width}] with 1`,
    "}",
  );
}

/** Tensors: `indices` i32 [S, topK]; `counts` i32 [parts * width], of each core's tokens the slots of each expert, as `expertRow` has them. */
export function countSlots(profile: Profile, spec: GroupSpec): Kernel {
  const { experts, topK, partial } = spec;
  const make = buffer(profile);
  const { width } = expertRow(spec);
  const rows = tokensAtOnce(profile, spec);
  return kernelOf(
    profile,
    lines(
      `kernel ${named("countSlots", `${topK}of${experts}`, partial && "partial")} for ${profile.name}`,
      "size S",
      `tensor indices: i32[S, ${topK}] in`,
      `tensor counts: i32[${coreCount(profile, profile.vector.core) * width}] out`,
      `on ${profile.vector.core} {`,
      "let part = group * cores + core",
      make("hot", "i32", rows, width),
      make("counted", "i32", 1, width),
      `vector fill -> counted[0 : 1, 0 : ${width}] with 0`,
      overParts(
        rows,
        lines(
          chosenSlots(profile, spec, rows, String(rows)),
          ...halvings(rows).map(([left, half]) => `vector add hot[0 : ${left}, 0 : ${width}], hot[${half} : ${left}, 0 : ${width}] -> hot[0 : ${left}, 0 : ${width}]`), // prettier-ignore
          `vector add counted[0 : 1, 0 : ${width}], hot[0 : 1, 0 : ${width}] -> counted[0 : 1, 0 : ${width}]`,
        ),
      ),
      `copy counted[0 : 1, 0 : ${width}] -> counts[part * ${width} : ${width}]`,
      "}",
    ),
  );
}

/** Rows that are added to the first ones, and where they stand, until one is left. */
function halvings(rows: number): readonly (readonly [number, number])[] {
  const steps: (readonly [number, number])[] = [];
  for (let left = rows; left > 1; left = Math.ceil(left / 2)) steps.push([Math.floor(left / 2), Math.ceil(left / 2)]); // prettier-ignore
  return steps;
}
