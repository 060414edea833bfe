/** The inner loops of a product: staging, fragments, matrix instructions. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { pathBetween } from "../../../../src/machine/rates.ts";
import { lines } from "../vector/tile.ts";
import type { Flow } from "./flow.ts";
import { depthOf, sumsOf, type GemmSpec } from "./spec.ts";
import { lead, rowsBox } from "./tasks.ts";
import { partWidth, type Tile } from "./tile.ts";

/** The columns of a tile in their parts, each with its own accumulators. */
export const partsOf = (tile: Tile): readonly number[] => Array.from({ length: tile.parts }, (_, p) => p);

/** How many of a tile's columns are in a part, as an expression. */
export const partCols = (tile: Tile, part: number): string =>
  tile.parts === 1 ? "cols" : `max(0, min(${partWidth(tile)}, cols - ${part * partWidth(tile)}))`;

/** The accumulators of each part, for the loop in which they are filled and emptied. */
const accumulators = ({ matrix }: Profile, { acc }: Flow, tile: Tile): string =>
  lines(
    ...partsOf(tile).flatMap((p) => [
      `let cols${p} = ${partCols(tile, p)}`,
      `buffer acc${p}: ${matrix.c} ${acc}[${tile.m}, ${partWidth(tile)}]${times(tile.accs)}`,
    ]),
  );

export const times = (copies: number): string => (copies > 1 ? ` x${copies}` : "");

/** The products of one staged pair, fragment by fragment. `start` is where the sums begin. */
function fragments({ matrix }: Profile, { weight }: Flow, spec: GemmSpec, tile: Tile, start: string): string {
  const width = partWidth(tile);
  const multiply = (p: number, cols: string): string =>
    `matmul a0[0 : rows, 0 : d], w0[0 : ${cols}, 0 : d] -> acc${p}[0 : rows, 0 : ${cols}] first k + j == ${start}`;
  const weights = (low: string, cols: string): string =>
    lines(
      `buffer w0: ${matrix.b} ${weight}[${width}, ${tile.step}] x2`,
      `copy w1[${low} : ${cols}, j : d] -> w0[0 : ${cols}, 0 : d]`,
    );
  // Parts take turns in a loop of their own, so that one copy of w0 is filled while the other is multiplied.
  const inner =
    tile.parts === 1
      ? lines(weights("0", "cols0"), multiply(0, "cols0"))
      : lines(
          `for p in 0 .. ${tile.parts} {`,
          `let wide = max(0, min(${width}, cols - p * ${width}))`,
          weights(`p * ${width}`, "wide"),
          ...partsOf(tile).flatMap((p) => [`if p == ${p} {`, multiply(p, "wide"), "}"]),
          "}",
        );
  return lines(
    `for j in 0 .. depth step ${tile.step} {`,
    `let d = min(${tile.step}, depth - j)`,
    `buffer a0: ${matrix.a} ${spec.a.dtype}[${tile.m}, ${tile.step}] x2`,
    "copy a1[0 : rows, j : d] -> a0[0 : rows, 0 : d]",
    inner,
    "}",
  );
}

/** What becomes of the sums. `sum` is `g` where a result has several. */
type Leave = string;

/**
 * The work of the matrix unit's core on one tile: sums over all the depth or, where runs of columns have sums of their own, over each, and what
 * `leave` does with them. `supply` puts the weights of columns `k : depth` into `w1`.
 */
export function product(
  profile: Profile,
  flow: Flow,
  spec: GemmSpec,
  tile: Tile,
  supply: string,
  leave: Leave,
): string {
  const sums = sumsOf(spec);
  const group = spec.w.kind === "integer" ? spec.w.group : depthOf(spec);
  const run = (from: string, to: string): string =>
    lines(
      accumulators(profile, flow, tile),
      `for k in ${from} .. ${to} step ${tile.k} {`,
      `let depth = min(${tile.k}, ${to} - k)`,
      `buffer a1: ${flow.stage} ${spec.a.dtype}[${tile.m}, ${tile.k}]${times(tile.copies)}`,
      `buffer w1: ${flow.stage} ${flow.weight}[${tile.n}, ${tile.k}]${times(tile.copies)}`,
      `copy ${rowsBox(spec, "a", "m : rows", "k : depth")} -> a1[0 : rows, 0 : depth]`,
      supply,
      fragments(profile, flow, spec, tile, from),
      "}",
      leave,
    );
  if (sums === 1) return run("0", `${depthOf(spec)}`);
  return lines(
    `for g in 0 .. ${sums} {`,
    `let from = g * ${group}`,
    `let to = min(${depthOf(spec)}, from + ${group})`,
    run("from", "to"),
    "}",
  );
}

/** Weights as they lie in memory. */
export const stored = (spec: GemmSpec): string =>
  `copy w[${lead(spec)}n : cols, k : depth] -> w1[0 : cols, 0 : depth]`;

/** Sums stored as they leave the accumulators. */
export const straight = (spec: GemmSpec, tile: Tile): string =>
  lines(
    ...partsOf(tile).map(
      (p) =>
        `copy acc${p}[0 : rows, 0 : cols${p}] -> ${rowsBox(spec, "out", "m : rows", `n + ${p * partWidth(tile)} : cols${p}`)}`,
    ),
  );

/** Whether the vector unit can put what it made straight into the staging space. */
export const meetsStage = (profile: Profile, { stage, isWhole }: Flow): boolean =>
  isWhole && pathBetween(profile, profile.vector.space, stage) !== undefined;
