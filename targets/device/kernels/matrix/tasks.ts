/** The tiles of a result, dealt out to the groups of a chip. */
import { lines } from "../vector/tile.ts";
import { matricesOf, widthOf, type GemmSpec } from "./spec.ts";
import { acrossOf, type Narrower, type Tile } from "./tile.ts";

/** The index of a matrix among those of w, followed by a comma; nothing where there is one. */
export const lead = (spec: GemmSpec): string =>
  spec.experts !== undefined ? "e, " : matricesOf(spec) > 1 ? "h, " : "";

/** A box of operand `name` of rows that may have heads. */
export const rowsBox = (spec: GemmSpec, name: string, rows: string, columns: string): string =>
  matricesOf(spec) > 1 && spec.experts === undefined
    ? `${name}[${rows}, h, ${columns}]`
    : `${name}[${rows}, ${columns}]`;

/**
 * A loop over the tiles of one group: `rows` from row `m`, `cols` from column `n`, of matrix `h` or `e`; where rows pass by in runs, `first` stands before each. With experts the rows of a tile are a block of one expert's, of a list that has those alone which have rows.
 */
export function tasks(spec: GemmSpec, tile: Tile, body: string, first = ""): string {
  const { m, n } = tile.area;
  const across = acrossOf(tile, widthOf(spec));
  const columns = `let cols = min(${n}, ${widthOf(spec)} - n)`;
  if (spec.experts !== undefined)
    return lines(
      "read count = blockCount[0]",
      `for t in group .. count * ${across} step groups {`,
      `let b = t / ${across}`,
      `let n = t mod ${across} * ${n}`,
      columns,
      "read e = blocks[0, b]",
      "read m = blocks[1, b]",
      "read end = offsets[e + 1]",
      `let rows = min(${m}, end - m)`,
      body,
      "}",
    );
  if (tile.runs !== undefined)
    return lines(
      `let down = ceil(S, ${m})`,
      `let run = ceil(down, ${tile.runs})`,
      `for t in group .. ${across * tile.runs} step groups {`,
      `let n = t / ${tile.runs} * ${n}`,
      columns,
      `let begin = t mod ${tile.runs} * run`,
      first,
      "for i in begin .. min(down, begin + run) {",
      `let m = i * ${m}`,
      `let rows = min(${m}, S - m)`,
      body,
      "}",
      "}",
    );
  const heads = matricesOf(spec);
  return lines(
    `let down = ceil(S, ${m})`,
    `for t in group .. down * ${across * heads} step groups {`,
    heads > 1 && `let h = t / (down * ${across})`,
    ...(tile.narrower
      ? narrowing(tile, tile.narrower, widthOf(spec))
      : [placed(tile, across, heads), columns]),
    `let rows = min(${m}, S - m)`,
    body,
    "}",
  );
}

/** Row `m`, column `n` and `cols` of tile `t`, the last columns of tiles narrower than those before. */
const narrowing = ({ area }: Tile, { after, n }: Narrower, width: number): readonly string[] => [
  `let m = t mod down * ${area.m}`,
  "let column = t / down",
  `let n = column * ${area.n} - max(0, column - ${after}) * ${area.n - n}`,
  `let cols = min(${area.n} - (${after - 1} < column) * ${area.n - n}, ${width} - n)`,
];

/** Row `m` and column `n` of tile `t`: band after band of columns, in each row after row. */
function placed({ area: { m, n }, band = 1 }: Tile, across: number, heads: number): string {
  if (band === 1)
    return lines(
      `let m = t mod down * ${m}`,
      heads > 1 ? `let n = t / down mod ${across} * ${n}` : `let n = t / down * ${n}`,
    );
  return lines(
    heads > 1 ? `let place = t mod (down * ${across})` : "let place = t",
    `let left = place / (down * ${band}) * ${band}`,
    `let side = min(${band}, ${across} - left)`,
    `let m = (place - left * down) / side * ${m}`,
    `let n = (left + (place - left * down) mod side) * ${n}`,
  );
}
