/** How a product is cut: what a group computes at a time, and what lies where meanwhile. */
import { dtypes, type DType } from "../../../../src/tensor/dtype.ts";

/** Rows and columns of the result that a group computes at a time. */
export type Area = { readonly m: number; readonly n: number };

/** How operands come to the matrix unit. */
export type Staging = {
  /** Depth that is staged at a time, and in how many copies; depth of one matrix instruction. */
  readonly k: number;
  readonly copies: number;
  readonly step: number;
  /** Weights that are stored are staged in shorter pieces than the rows they meet: their depth, and how many there is room for. */
  readonly pieces?: { readonly depth: number; readonly copies: number };
  /** The vector cores read rows before the matrix unit's core does, up to so many stages ahead, so that it finds them in the chip's cache. */
  readonly ahead?: number;
  /** The last that is staged comes in shorter turns, of so much depth each: when it is there, little is left to multiply. All turns are alike where absent. */
  readonly last?: number;
};

/** The accumulators: copies of them, or so many parts of the rows or columns with accumulators of their own, so that one is stored while another still sums. */
export type Sums = {
  readonly parts: number;
  readonly cut: "rows" | "columns";
  readonly copies: number;
};

export type Narrower = { readonly after: number; readonly n: number };

export type Tile = {
  readonly area: Area;
  readonly staged: Staging;
  readonly sums: Sums;
  /** So many columns of tiles are worked on at a time, row by row of tiles, so that groups side by side share rows and weights; one at a time where absent. */
  readonly band?: number;
  /** Behind so many columns of tiles the others are narrower, of `n` each: when the last weights are there, less is left to do with them. All are alike where absent. */
  readonly narrower?: Narrower;
  /** The weights of a column of tiles are staged once, in all their depth, while the rows pass by in so many runs; anew for each tile where absent. */
  readonly runs?: number;
};

/** Sums of which all are stored before the next begin. */
export const undivided: Sums = { parts: 1, cut: "columns", copies: 1 };

/** A multiple of a unit that is at least so much. */
export const roundedUp = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** Parts that are not alike begin at whole fragments: as many rows and columns as any machine's have. */
export const fragment = 16;

/** Columns of tiles of a result so wide. */
export const acrossOf = ({ area: { n }, narrower }: Tile, width: number): number =>
  narrower === undefined ? Math.ceil(width / n) : narrower.after + Math.ceil((width - narrower.after * n) / narrower.n); // prettier-ignore

/** Rows and columns of one part; the last may have fewer. */
const partOf = (size: number, parts: number): number =>
  size % parts === 0 && (size / parts) % fragment === 0 ? size / parts : roundedUp(size / parts, fragment);
export const partHeight = ({ area: { m }, sums: { parts, cut } }: Tile): number =>
  cut === "rows" ? partOf(m, parts) : m;
export const partWidth = ({ area: { n }, narrower, sums: { parts, cut } }: Tile): number =>
  cut === "rows" || parts === 1 ? n : (narrower?.n ?? partOf(n, parts));

/** Columns of a staged buffer that takes so much depth: each row begins where spaces can be addressed. */
export const stagedWidth = (depth: number, dtype: DType): number =>
  roundedUp(depth, 256 / dtypes[dtype].bits);

/** Whether sums over so much depth are so short that their ends are nearly all of them: part follows part throughout. */
export const isPartByPart = ({ sums, staged }: Tile, depth: number): boolean =>
  sums.parts > 1 && depth <= 3 * staged.k;

/** Columns of weights in a piece, of sums over so much depth. */
export const pieceWidth = (tile: Tile, depth: number): number =>
  tile.sums.cut === "columns" && isPartByPart(tile, depth) ? partWidth(tile) : tile.area.n;
