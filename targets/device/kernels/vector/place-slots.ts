/** The places of slots in the order of their experts, where it is known how many each part of the tokens has of each (`count-slots.ts`). */
import type { Profile } from "../../../../src/machine/profile.ts";
import { coreCount } from "../../../../src/machine/rates.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { named } from "../name.ts";
import { choiceAt, chosenSlots, expertRow, lanes, overParts, partsAtOnce, tokensAtOnce } from "./count-slots.ts"; // prettier-ignore
import type { GroupSpec } from "./group-slots.ts";
import { buffer, kernelOf, lines } from "./tile.ts";

/**
 * A token's slot comes behind its expert's slots of all parts before, and of the tokens before it in its own. Tensors: `indices` i32 [S, topK], `counts`
 * as `countSlots` has them; `offsets` i32 [experts + 1], where groups begin and the last ends; `place` i32 [S, topK], where in the order of the groups
 * each slot stands. Slots of experts elsewhere are before all groups, and what is written of their places says nothing.
 */
export function placeSlots(profile: Profile, spec: GroupSpec): Kernel {
  const { experts, topK, partial } = spec;
  const make = buffer(profile);
  const { width } = expertRow(spec);
  const parts = coreCount(profile, profile.vector.core);
  const rows = tokensAtOnce(profile, spec);
  return kernelOf(
    profile,
    lines(
      `kernel ${named("placeSlots", `${topK}of${experts}`, partial && "partial")} for ${profile.name}`,
      "size S",
      `tensor indices: i32[S, ${topK}] in`,
      `tensor counts: i32[${parts * width}] in`,
      `tensor offsets: i32[${experts + 1}] out`,
      `tensor place: i32[S, ${topK}] out`,
      `on ${profile.vector.core} {`,
      "let part = group * cores + core",
      make("choice", "i32", rows, topK),
      `vector iota -> choice[0 : ${rows}, 0 : ${topK}] with 0`,
      countedSlots(profile, spec, parts),
      groupBegins(profile, spec),
      writtenOffsets(profile, spec, parts),
      // What stands before a part's first slot of each expert, less one, as a slot counts itself.
      `vector add ${row("below", width)}, ${row("begins", width)} -> ${row("below", width)}`,
      `vector adds ${row("below", width)} -> ${row("below", width)} with -1`,
      make("hot", "i32", rows, width),
      overParts(
        rows,
        lines(
          chosenSlots(profile, spec, rows, "rows"),
          `vector add ${row("hot", width)}, ${row("below", width)} -> ${row("hot", width)}`,
          "for r in 1 .. rows {",
          `vector add hot[r - 1, 0 : ${width}], hot[r, 0 : ${width}] -> hot[r, 0 : ${width}]`,
          "}",
          `vector copy hot[rows - 1, 0 : ${width}] -> ${row("below", width)}`,
          writtenPlaces(topK, rows, width),
        ),
      ),
      "}",
    ),
  );
}

/** The first row of a buffer, from a column on. */
const row = (name: string, width: number, from = 0): string => `${name}[0 : 1, ${from} : ${width}]`;

/** Of each expert the slots of all parts, `all`, and of those before a core's own, `below`. */
function countedSlots(profile: Profile, spec: GroupSpec, parts: number): string {
  const make = buffer(profile);
  const { width } = expertRow(spec);
  const most = partsAtOnce(profile, spec);
  return lines(
    make("below", "i32", 1, width),
    make("all", "i32", 1, width),
    ...["all", "below"].map((it) => `vector fill -> ${row(it, width)} with 0`),
    `for first in 0 .. ${parts} step ${most} {`,
    `let some = min(${most}, ${parts} - first)`,
    make("counted", "i32", 1, most * width),
    `copy counts[first * ${width} : some * ${width}] -> counted[0 : 1, 0 : some * ${width}]`,
    `vector addRuns ${row("all", width)}, counted[0 : 1, 0 : some * ${width}] -> ${row("all", width)}`,
    "let before = min(some, max(0, part - first))",
    "for any in 0 .. min(1, before) {",
    `vector addRuns ${row("below", width)}, counted[0 : 1, 0 : before * ${width}] -> ${row("below", width)}`,
    "}",
    "}",
  );
}

/** Where the group of each expert begins: a sum of all lanes before its own, and in its own of all runs before. */
function groupBegins(profile: Profile, spec: GroupSpec): string {
  const { runs, width, first } = expertRow(spec);
  const make = buffer(profile);
  const steps = Array.from({ length: Math.ceil(Math.log2(runs)) }, (_, i) => lanes * 2 ** i);
  // In front of the runs there are none.
  const front = steps.at(-1) ?? 0;
  const sums = [...steps, 0].map((_, i) => `sums${i % 2}`);
  const last = sums.at(-1) ?? "";
  return lines(
    ...["sums0", "sums1"].map((it) => make(it, "f32", 1, front + width)),
    ...["sums0", "sums1"].map((it) => front > 0 && `vector fill -> ${row(it, front)} with 0`),
    make("begins", "i32", 1, width),
    `vector copy ${row("all", width)} -> ${row("sums0", width, front)}`,
    lanesBefore(profile, row("sums0", width, front)),
    first > 0 && elsewhereIn(profile, spec, row("sums0", width, front)),
    `vector add ${row("sums0", lanes, front)}, ${row("square", lanes)} -> ${row("sums0", lanes, front)}`,
    ...steps.map((step, i) => `vector add ${row(sums[i] ?? "", width, front)}, ${row(sums[i] ?? "", width, front - step)} -> ${row(sums[i + 1] ?? "", width, front)}`), // prettier-ignore
    `vector copy ${row(last, width, front)} -> ${row("begins", width)}`,
    `vector sub ${row("begins", width)}, ${row("all", width)} -> ${row("begins", width)}`,
  );
}

/** In the first row of `square`, for each lane, what `counts` are of all lanes before it. */
function lanesBefore(profile: Profile, counts: string): string {
  const make = buffer(profile);
  const whole = (name: string): string => `${name}[0 : ${lanes}, 0 : ${lanes}]`;
  const rows = (from: number, count: number): string => `square[${from} : ${count}, 0 : ${lanes}]`;
  return lines(
    ...["rowNumber", "laneNumber", "isBefore", "isBehind", "isOwn", "square"].map((it) => make(it, "f32", lanes, lanes)), // prettier-ignore
    make("ofLane", "f32", lanes, 1),
    make("ofLanes", "f32", 1, lanes),
    `for l in 0 .. ${lanes} {`,
    `vector fill -> rowNumber[l, 0 : ${lanes}] with l`,
    "}",
    `vector iota -> ${whole("laneNumber")} with 0`,
    `vector less ${whole("rowNumber")}, ${whole("laneNumber")} -> ${whole("isBefore")}`,
    `vector less ${whole("laneNumber")}, ${whole("rowNumber")} -> ${whole("isBehind")}`,
    `vector fill -> ${whole("isOwn")} with 1`,
    `vector sub ${whole("isOwn")}, ${whole("isBefore")} -> ${whole("isOwn")}`,
    `vector sub ${whole("isOwn")}, ${whole("isBehind")} -> ${whole("isOwn")}`,
    `vector fill -> ${row("ofLanes", lanes)} with 0`,
    `vector addRuns ${row("ofLanes", lanes)}, ${counts} -> ${row("ofLanes", lanes)}`,
    // The row becomes a column, which multiplies the rows of the lanes behind.
    `vector mulRow ${whole("isOwn")}, ${row("ofLanes", lanes)} -> ${whole("square")}`,
    `vector sum ${whole("square")} -> ofLane[0 : ${lanes}, 0 : 1]`,
    `vector mulColumn ${whole("isBefore")}, ofLane[0 : ${lanes}, 0 : 1] -> ${whole("square")}`,
    ...[4, 2, 1].map((it) => `vector add ${rows(0, it)}, ${rows(it, it)} -> ${rows(0, it)}`),
  );
}

/** Adds to the first run what all groups stand behind: slots of experts elsewhere that were not counted, as several of a token's were counted once. */
function elsewhereIn(profile: Profile, { topK }: GroupSpec, counts: string): string {
  return lines(
    buffer(profile)("missing", "f32", 1, 1),
    `vector sum ${counts} -> missing`,
    "vector muls missing -> missing with -1",
    `vector adds missing -> missing with S * ${topK}`,
    `vector addColumn ${row("square", lanes)}, missing -> ${row("square", lanes)}`,
  );
}

/** Writes where groups begin, and the last ends, each core of some experts that follow one another. */
function writtenOffsets(profile: Profile, spec: GroupSpec, parts: number): string {
  const { runs, width, first } = expertRow(spec);
  const make = buffer(profile);
  const each = Math.ceil((spec.experts + 1) / parts);
  return lines(
    `let low = part * ${each}`,
    `let own = max(0, min(${each}, ${spec.experts + 1} - low))`,
    make("which", "i32", each, lanes),
    make("offset", "i32", each, lanes),
    "for i in 0 .. own {",
    `let e = low + i + ${first}`,
    `vector fill -> which[i, 0 : 1] with e mod ${runs} * ${lanes} + e / ${runs}`,
    `vector takeAt ${row("begins", width)}, which[i, 0 : 1] -> offset[i, 0 : 1]`,
    "}",
    "copy offset[0 : own, 0 : 1] -> offsets[low : own] transposed",
  );
}

/** Writes where the slots of a block's tokens stand: `hot` has it at the places of their experts, which are no longer wanted themselves, nor are the choices. */
function writtenPlaces(topK: number, rows: number, width: number): string {
  const all = (name: string): string => `${name}[0 : rows, 0 : ${topK}]`;
  return lines(
    `vector fill -> ${all("chosen")} with 0`,
    `for j in 0 .. ${topK} {`,
    `vector takeAt hot[0 : rows, 0 : ${width}], ${choiceAt(rows)} -> number[0 : rows, 0 : 1]`,
    `vector isEqual ${all("choice")} -> ${all("spot")} with j`,
    `vector mulColumn ${all("spot")}, number[0 : rows, 0 : 1] -> ${all("spot")}`,
    `vector add ${all("chosen")}, ${all("spot")} -> ${all("chosen")}`,
    "}",
    `copy ${all("chosen")} -> place[block : rows, 0 : ${topK}]`,
  );
}
