/** The inner loops of a product: staging, fragments, matrix instructions. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { lines } from "../vector/tile.ts";
import { readBehind } from "./ahead.ts";
import type { Flow } from "./flow.ts";
import { depthOf, runOf, sumsOf, type GemmSpec } from "./spec.ts";
import { lead, rowsBox } from "./tasks.ts";
import {
  isPartByPart,
  partHeight,
  partWidth,
  pieceWidth,
  stagedWidth,
  type Staging,
  type Tile,
} from "./tile.ts";

/** The parts of a tile, each with accumulators that are filled and emptied on their own. */
export const partsOf = (tile: Tile): readonly number[] =>
  Array.from({ length: tile.sums.parts }, (_, p) => p);

const share = (of: string, size: number, tile: Tile, part: number): string =>
  tile.sums.parts === 1 ? of : `max(0, min(${size}, ${of} - ${part * size}))`;

/** How many of a tile's rows and columns are in a part, as expressions. */
export const partRows = (tile: Tile, part: number): string =>
  tile.sums.cut === "rows" ? share("rows", partHeight(tile), tile, part) : "rows";
export const partCols = (tile: Tile, part: number): string =>
  tile.sums.cut === "columns" ? share("cols", partWidth(tile), tile, part) : "cols";

/** Where a part begins in its tile. */
const partTop = (tile: Tile, part: number): number =>
  tile.sums.cut === "rows" ? part * partHeight(tile) : 0;
const partLeft = (tile: Tile, part: number): number =>
  tile.sums.cut === "columns" ? part * partWidth(tile) : 0;

/** The accumulators of a tile, for the loop in which they are filled and emptied. Those of parts have flags of their own. */
const accumulators = ({ matrix }: Profile, { acc }: Flow, tile: Tile): string =>
  lines(
    ...partsOf(tile).flatMap((p) => [
      `let rows${p} = ${partRows(tile, p)}`,
      `let cols${p} = ${partCols(tile, p)}`,
    ]),
    `buffer acc: ${matrix.c} ${acc}[${tile.area.m}, ${stagedWidth(tile.area.n, acc)}]${tile.sums.parts > 1 ? " flagged" : times(tile.sums.copies)}`,
  );

/** A box of a part's accumulators: rows of it, by their expression, and all its columns. */
export const sumsBox = (tile: Tile, part: number, rows: string): string =>
  `acc[${tile.sums.cut === "rows" && part > 0 ? `${partTop(tile, part)} + ` : ""}${rows}, ${partLeft(tile, part)} : cols${part}]`;

export const times = (copies: number): string => (copies > 1 ? ` x${copies}` : "");

/** How far a staged operand reaches, as names: where in the depth it begins, and its length. */
type Reach = { readonly at: string; readonly depth: string };

/**
 * The products of staged operands, step by step. With parts, `ends` tells whether part `p` alone is summed, whose rows or columns are `some` from
 * `low`; `from` and `to` are where the sums begin and end.
 */
function steps(
  profile: Profile,
  flow: Flow,
  spec: GemmSpec,
  tile: Tile,
  { at, depth }: Reach,
  from: string,
  to: string,
): string {
  const { matrix } = profile;
  const { m, n } = tile.area;
  const { step } = tile.staged;
  const { parts } = tile.sums;
  const byRows = tile.sums.cut === "rows";
  const isOne = parts === 1;
  const [high, wide] = isOne ? ["rows", "cols"] : byRows ? ["some", "cols"] : ["rows", "some"];
  const [top, left] = isOne ? ["0", "0"] : byRows ? ["low", "0"] : ["0", "low"];
  const isFirst = `${at} + j == ${from}`;
  /** A flag of the part that is being summed, where a condition holds. */
  const flag = (when: string, statement: string): readonly string[] =>
    isOne ? [] : partsOf(tile).map((p) => lines(`if (p == ${p}) * (${when}) {`, `${statement} #${p}`, "}"));
  return lines(
    `for j in 0 .. ${depth} step ${step} {`,
    `let d = min(${step}, ${depth} - j)`,
    `buffer a0: ${matrix.a} ${spec.a.dtype}[${m}, ${stagedWidth(step, spec.a.dtype)}] x2`,
    `buffer w0: ${matrix.b} ${flow.weight}[${n}, ${stagedWidth(step, flow.weight)}] x2`,
    `copy a1[${top} : ${high}, ${at === "k" ? "" : `${at} - k + `}j : d] -> a0[0 : ${high}, 0 : d]`,
    // Weights that are staged piece by piece are staged part by part.
    `copy w1[${at === "k" ? left : "0"} : ${wide}, ${tile.runs === undefined ? "" : `${at} + `}j : d] -> w0[0 : ${wide}, 0 : d]`,
    ...flag(isFirst, `wait ${flow.drain} -> ${matrix.engine}`),
    `matmul a0[0 : ${high}, 0 : d], w0[0 : ${wide}, 0 : d] -> acc[${top} : ${high}, ${left} : ${wide}] first ${isFirst}`,
    ...flag(`${at} + j + d == ${to}`, `set ${matrix.engine} -> ${flow.drain}`),
    "}",
  );
}

/**
 * Work on the parts of a tile. At both ends of the sums part follows part, each with flags of its own: the sums of one are stored while the next
 * still sums. In between all parts share the operands of a step.
 */
function overParts(spec: GemmSpec, tile: Tile, from: string, to: string, body: string): string {
  if (tile.sums.parts === 1) return body;
  const byRows = tile.sums.cut === "rows";
  const [side, size, all] = byRows
    ? ["rows", partHeight(tile), tile.area.m]
    : ["cols", partWidth(tile), tile.area.n];
  return lines(
    isPartByPart(tile, runOf(spec)) ? "let ends = 1" : `let ends = max(k == ${from}, k + depth == ${to})`,
    `for p in 0 .. 1 + ends * ${tile.sums.parts - 1} {`,
    `let low = p * ${size}`,
    `let some = max(0, min(${size} + (1 - ends) * ${all}, ${side} - low))`,
    body,
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
  return tile.sums.parts === 1
    ? ""
    : lines(...partsOf(tile).map((p) => `${kind} ${drain} -> ${matrix.engine} #${p}`));
}

/** How a part's sums are taken out of its accumulators, between the flags for it. */
export function emptied({ matrix }: Profile, { drain }: Flow, tile: Tile, p: number, copies: string): string {
  return tile.sums.parts === 1
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
  const { area, staged } = tile;
  const { pieces } = staged;
  const behind = readBehind(profile, flow, tile);
  const weights = (width: number, depth: number, copies: number): string => weightsBuffer(flow, width, depth, copies); // prettier-ignore
  const run = (from: string, to: string): string => {
    const each = (reach: Reach): string => steps(profile, flow, spec, tile, reach, from, to);
    const turns = lines(
      // The weights are more, and on their way while rows become fractals.
      !pieces && tile.runs === undefined && lines(weights(area.n, staged.k, staged.copies), supply),
      `buffer a1: ${flow.stage} ${spec.a.dtype}[${area.m}, ${stagedWidth(staged.k, spec.a.dtype)}]${times(staged.copies)}`,
      behind.before,
      `copy ${rowsBox(spec, "a", "m : rows", "k : depth")} -> a1[0 : rows, 0 : depth]`,
      behind.after,
      overParts(
        spec,
        tile,
        from,
        to,
        pieces
          ? lines(
              `for i in k .. k + depth step ${pieces.depth} {`,
              `let span = min(${pieces.depth}, k + depth - i)`,
              weights(pieceWidth(tile, runOf(spec)), pieces.depth, pieces.copies),
              piece(spec, tile),
              each({ at: "i", depth: "span" }),
              "}",
            )
          : each({ at: "k", depth: "depth" }),
      ),
    );
    return lines(accumulators(profile, flow, tile), overDepth(staged, from, to, turns), leave);
  };
  if (sums === 1) return run("0", `${depthOf(spec)}`);
  return lines(
    `for g in 0 .. ${sums} {`,
    `let from = g * ${group}`,
    `let to = min(${depthOf(spec)}, from + ${group})`,
    run("from", "to"),
    "}",
  );
}

/** A loop over the turns in which `depth` from `k` on is staged: those of all the depth but the last, and what would be the last in shorter ones. */
function overDepth({ k, last }: Staging, from: string, to: string, body: string): string {
  if (last === undefined)
    return lines(`for k in ${from} .. ${to} step ${k} {`, `let depth = min(${k}, ${to} - k)`, body, "}");
  return lines(
    `let whole = (ceil(${to} - ${from}, ${k}) - 1) * ${k}`,
    "for late in 0 .. 2 {",
    `let since = ${from} + late * whole`,
    `let until = max(late * ${to}, ${from} + whole)`,
    `let pace = ${k} - late * ${k - last}`,
    "for k in since .. until step pace {",
    "let depth = min(pace, until - k)",
    body,
    "}",
    "}",
  );
}

const weightsBuffer = (flow: Flow, width: number, depth: number, copies: number): string =>
  `buffer w1: ${flow.stage} ${flow.weight}[${width}, ${stagedWidth(depth, flow.weight)}]${times(copies)}`;

/** Copies of weights that are held while rows pass by: the next are on their way meanwhile. */
export const heldCopies = 2;

/** All the depth of a column's weights, to be held while rows pass by. */
export const held = (flow: Flow, spec: GemmSpec, tile: Tile): string =>
  tile.runs === undefined
    ? ""
    : lines(
        weightsBuffer(flow, tile.area.n, depthOf(spec), heldCopies),
        `copy w[n : cols, 0 : ${depthOf(spec)}] -> w1[0 : cols, 0 : ${depthOf(spec)}]`,
      );

/** Weights as they lie in memory. */
export const stored = (spec: GemmSpec): string =>
  `copy w[${lead(spec)}n : cols, k : depth] -> w1[0 : cols, 0 : depth]`;

/** A piece of them, of the columns that are summed. */
function piece(spec: GemmSpec, { sums: { parts, cut } }: Tile): string {
  const [first, size] = parts > 1 && cut === "columns" ? ["n + low", "some"] : ["n", "cols"];
  return `copy w[${lead(spec)}${first} : ${size}, i : span] -> w1[0 : ${size}, 0 : span]`;
}

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
        `copy ${sumsBox(tile, p, `0 : rows${p}`)} -> ${to(`${partTop(tile, p)} : rows${p}`, `${partLeft(tile, p)} : cols${p}`)}`,
      ),
    ),
  );

/** Sums stored as they leave the accumulators. */
export const straight = (profile: Profile, flow: Flow, spec: GemmSpec, tile: Tile): string =>
  stores(profile, flow, tile, (rows, cols) => rowsBox(spec, "out", `m + ${rows}`, `n + ${cols}`));
