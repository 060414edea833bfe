/** How a product is cut: what a group computes at a time, and what lies where meanwhile. */

export type Tile = {
  /** Rows and columns of the result that a group computes at a time. */
  readonly m: number;
  readonly n: number;
  /** Depth that is staged at a time, and depth of one matrix instruction. */
  readonly k: number;
  readonly step: number;
  /** The rows or columns are cut in so many parts with accumulators of their own, so that one is stored while another still sums. */
  readonly parts: number;
  readonly cut: "rows" | "columns";
  /** Of experts: their rows are dealt out to so many tasks, tile by tile. */
  readonly deal?: number;
  /** Copies of the staged operands, and of the accumulators. */
  readonly copies: number;
  readonly accs: number;
  /** Weights that are stored are staged in shorter pieces than the rows they meet: their depth, and how many there is room for. */
  readonly pieces?: { readonly depth: number; readonly copies: number };
};

/** Rows and columns of one part. */
export const partHeight = ({ m, parts, cut }: Tile): number => (cut === "rows" ? Math.ceil(m / parts) : m);
export const partWidth = ({ n, parts, cut }: Tile): number => (cut === "columns" ? Math.ceil(n / parts) : n);

/** A multiple of a unit that is at least so much. */
export const roundedUp = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** Whether sums over so much depth are so short that their ends are nearly all of them: part follows part throughout. */
export const isPartByPart = (tile: Tile, depth: number): boolean => tile.parts > 1 && depth <= 3 * tile.k;

/** Columns of weights in a piece, of sums over so much depth. */
export const pieceWidth = (tile: Tile, depth: number): number =>
  tile.cut === "columns" && isPartByPart(tile, depth) ? partWidth(tile) : tile.n;
