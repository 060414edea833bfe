/** The inner loops of a product: staging, fragments, matrix instructions. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { lines } from "../vector/tile.ts";
import type { Flow } from "./flow.ts";
import { depthOf, sumsOf, type GemmSpec } from "./spec.ts";
import { lead, rowsBox } from "./tasks.ts";
import { partHeight, partWidth, type Tile } from "./tile.ts";

/** The columns of a tile in their parts, each with its own accumulators. */
export const partsOf = (tile: Tile): readonly number[] => Array.from({ length: tile.parts }, (_, p) => p);

const share = (of: string, size: number, tile: Tile, part: string): string =>
  tile.parts === 1 ? of : `max(0, min(${size}, ${of} - ${part} * ${size}))`;

/** How many of a tile's rows and columns are in a part, as expressions. */
const partRows = (tile: Tile, part: number | "p"): string =>
  tile.cut === "rows" ? share("rows", partHeight(tile), tile, `${part}`) : "rows";
export const partCols = (tile: Tile, part: number | "p"): string =>
  tile.cut === "columns" ? share("cols", partWidth(tile), tile, `${part}`) : "cols";

/** Where a part begins in its tile. */
const partTop = (tile: Tile, part: number): number => (tile.cut === "rows" ? part * partHeight(tile) : 0);
const partLeft = (tile: Tile, part: number): number => (tile.cut === "columns" ? part * partWidth(tile) : 0);

/** The accumulators of each part, for the loop in which they are filled and emptied. */
const accumulators = ({ matrix }: Profile, { acc }: Flow, tile: Tile): string =>
  lines(
    ...partsOf(tile).flatMap((p) => [
      `let rows${p} = ${partRows(tile, p)}`,
      `let cols${p} = ${partCols(tile, p)}`,
      `buffer acc${p}: ${matrix.c} ${acc}[${partHeight(tile)}, ${partWidth(tile)}]${tile.parts > 1 ? " flagged" : times(tile.accs)}`,
    ]),
  );

export const times = (copies: number): string => (copies > 1 ? ` x${copies}` : "");

/** The products of one staged pair, fragment by fragment. `from` and `to` are where the sums begin and end. */
function fragments(
  profile: Profile,
  flow: Flow,
  spec: GemmSpec,
  tile: Tile,
  from: string,
  to: string,
): string {
  const { matrix } = profile;
  const [height, width] = [partHeight(tile), partWidth(tile)];
  const [top, left] = [
    tile.cut === "rows" ? `p * ${height}` : "0",
    tile.cut === "columns" ? `p * ${width}` : "0",
  ];
  const multiply = (p: number): string =>
    `matmul a0[0 : high, 0 : d], w0[0 : wide, 0 : d] -> acc${p}[0 : high, 0 : wide] first k + j == ${from}`;
  const isOne = tile.parts === 1;
  const steps = lines(
    `let high = ${partRows(tile, "p")}`,
    `let wide = ${partCols(tile, "p")}`,
    `for j in 0 .. depth step ${tile.step} {`,
    `let d = min(${tile.step}, depth - j)`,
    `buffer a0: ${matrix.a} ${spec.a.dtype}[${height}, ${tile.step}] x2`,
    `buffer w0: ${matrix.b} ${flow.weight}[${width}, ${tile.step}] x2`,
    `copy a1[${isOne ? "0" : top} : high, j : d] -> a0[0 : high, 0 : d]`,
    `copy w1[${isOne ? "0" : left} : wide, j : d] -> w0[0 : wide, 0 : d]`,
    ...(isOne ? [multiply(0)] : partsOf(tile).flatMap((p) => [`if p == ${p} {`, multiply(p), "}"])),
    "}",
  );
  if (isOne) return steps;
  // Part by part, each with flags of its own: the sums of one part are stored while the next still sums.
  return lines(
    `for p in 0 .. ${tile.parts} {`,
    `if k == ${from} {`,
    `wait ${flow.drain} -> ${matrix.engine} #0 x${tile.parts}`,
    "}",
    steps,
    `if k + depth == ${to} {`,
    `set ${matrix.engine} -> ${flow.drain} #0 x${tile.parts}`,
    "}",
    "}",
  );
}

/** Flags of the parts' accumulators, set once before all tiles and taken back behind them. */
export function accumulatorFlags(
  { matrix }: Profile,
  { drain }: Flow,
  tile: Tile,
  kind: "set" | "wait",
): string {
  return tile.parts === 1
    ? ""
    : lines(...partsOf(tile).map((p) => `${kind} ${drain} -> ${matrix.engine} #${p}`));
}

/** How a part's sums are taken out of its accumulators, between the flags for it. */
export function emptied({ matrix }: Profile, { drain }: Flow, tile: Tile, p: number, copies: string): string {
  return tile.parts === 1
    ? copies
    : lines(`wait ${matrix.engine} -> ${drain} #${p}`, copies, `set ${drain} -> ${matrix.engine} #${p}`);
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
      fragments(profile, flow, spec, tile, from, to),
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

/** Sums put where `to` says, a box from a row and a column of the tile on. */
export const stores = (
  profile: Profile,
  flow: Flow,
  tile: Tile,
  to: (rows: string, cols: string) => string,
): string =>
  lines(
    ...partsOf(tile).map((p) =>
      emptied(
        profile,
        flow,
        tile,
        p,
        `copy acc${p}[0 : rows${p}, 0 : cols${p}] -> ${to(`${partTop(tile, p)} : rows${p}`, `${partLeft(tile, p)} : cols${p}`)}`,
      ),
    ),
  );

/** Sums stored as they leave the accumulators. */
export const straight = (profile: Profile, flow: Flow, spec: GemmSpec, tile: Tile): string =>
  stores(profile, flow, tile, (rows, cols) => rowsBox(spec, "out", `m + ${rows}`, `n + ${cols}`));
