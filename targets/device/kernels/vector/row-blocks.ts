/**
 * The list of blocks that products of experts go through: rows of one expert each, as many as a tile takes at most. Experts without rows are not
 * in it, so that a group reads a few numbers for each task it has, and tasks are even however the rows are spread.
 */
import type { Profile } from "../../../../src/machine/profile.ts";
import { coreCount } from "../../../../src/machine/rates.ts";
import { buffer, lines, pitch } from "./tile.ts";

/** Blocks of one expert that are written at a time. */
const few = 64;

/** Columns between numbers that start where the machine can address them. */
const apart = pitch("f32", 1);

/** Experts whose rows are listed, and the heights of the blocks, a list for each. */
export type BlockLists = { readonly experts: number; readonly heights: readonly number[] };

/** Bytes that the lists' buffers take, about. */
export const blockBytes = ({ experts, heights }: BlockLists): number =>
  4 * (4 * pitch("f32", experts) + heights.length * (3 * pitch("f32", experts) + 9 * few));

/** The most blocks of a height that so many rows make, as an expression. */
export const mostBlocks = (experts: number, rows: string, height: number): string =>
  `${experts} + ${rows} / ${height}`;

/** The tensors that the lists of blocks of `rows` rows are written to: `blocks` i32 [2, ..], the expert and the first row of each, and their number, behind each the height. */
export const blockTensors = ({ experts, heights }: BlockLists, rows: string): string =>
  lines(
    ...heights.flatMap((height) => [
      `tensor blocks${height}: i32[2, ${mostBlocks(experts, rows, height)}] out`,
      `tensor blockCount${height}: i32[1] out`,
    ]),
  );

/** Brings what the lists are made of: where the rows of each expert begin and end. */
export const loadRuns = (profile: Profile, { experts }: BlockLists): string => {
  const make = buffer(profile);
  return lines(
    make("runs", "i32", 1, experts),
    make("runEnds", "i32", 1, experts),
    `copy offsets[0 : ${experts}] -> runs[0 : 1, 0 : ${experts}]`,
    `copy offsets[1 : ${experts}] -> runEnds[0 : 1, 0 : ${experts}]`,
  );
};

/** Writes the lists; each core the blocks of some experts, behind those of all before. */
export function listBlocks(profile: Profile, lists: BlockLists): string {
  const make = buffer(profile);
  const all = `[0 : 1, 0 : ${lists.experts}]`;
  return lines(
    "let mine = group * cores + core",
    "let everyone = groups * cores",
    `let own = ceil(max(0, ${lists.experts} - mine), everyone)`,
    make("begins", "f32", 1, lists.experts),
    make("count", "f32", 1, lists.experts),
    `vector copy runs${all} -> begins${all}`,
    `vector copy runEnds${all} -> count${all}`,
    `vector sub count${all}, begins${all} -> count${all}`,
    ...lists.heights.map((height) => listOf(profile, lists.experts, height)),
    `if mine + (own - 1) * everyone == ${lists.experts - 1} {`,
    make("counts", "i32", lists.heights.length, apart),
    ...lists.heights.map((height, i) => `vector copy sums${height}[own - 1, 0 : 1] -> counts[${i}, 0 : 1]`),
    ...lists.heights.map((height, i) => `copy counts[${i}, 0 : 1] -> blockCount${height}[0 : 1]`),
    "}",
  );
}

/** One of the lists. */
function listOf(profile: Profile, experts: number, height: number): string {
  const make = buffer(profile);
  const most = Math.ceil(experts / coreCount(profile, profile.vector.core));
  const of = (name: string): string => `${name}${height}`;
  const [all, sums, some] = [`[0 : 1, 0 : ${experts}]`, "[0 : own, 0 : 1]", "[0 : 1, 0 : some]"];
  return lines(
    make(of("parts"), "f32", 1, experts),
    make(of("listed"), "i32", 1, experts),
    // Rounded to nearest, the count over the height is rounded up.
    `vector adds count${all} -> ${of("parts")}${all} with ${(height - 1) / 2}`,
    `vector muls ${of("parts")}${all} -> ${of("parts")}${all} with ${1 / height}`,
    `vector round ${of("parts")}${all} -> ${of("parts")}${all}`,
    `vector copy ${of("parts")}${all} -> ${of("listed")}${all}`,
    make(of("sums"), "f32", most, apart),
    make(of("through"), "i32", most, apart),
    "for i in 0 .. own {",
    `vector sum ${of("parts")}[0 : 1, 0 : mine + i * everyone + 1] -> ${of("sums")}[i, 0 : 1]`,
    "}",
    `vector copy ${of("sums")}${sums} -> ${of("through")}${sums}`,
    make(of("steps"), "i32", 1, few),
    `vector iota -> ${of("steps")}[0 : 1, 0 : ${few}] with 0`,
    `vector muls ${of("steps")}[0 : 1, 0 : ${few}] -> ${of("steps")}[0 : 1, 0 : ${few}] with ${height}`,
    "for i in 0 .. own {",
    "let e = mine + i * everyone",
    `read n = ${of("listed")}[0, e]`,
    `read end = ${of("through")}[i, 0]`,
    "read begin = runs[0, e]",
    `for j in 0 .. n step ${few} {`,
    `let some = min(${few}, n - j)`,
    make("block", "i32", 2, few, 2),
    "vector fill -> block[0, 0 : some] with e",
    `vector adds ${of("steps")}${some} -> block[1, 0 : some] with begin + j * ${height}`,
    `copy block[0 : 2, 0 : some] -> ${of("blocks")}[0 : 2, end - n + j : some]`,
    "}",
    "}",
  );
}
