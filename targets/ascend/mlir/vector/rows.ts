/** Rows of operands as kernels of the vector cores take them: some at a time, each core in its turn. */
import type { View } from "../../../device/kernels/vector/tile.ts";
import { load, type Box } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import type { Scope } from "../kernel.ts";
import { alongRows, binary, converted, perRow, tensorOf, type Tensor } from "../tensors.ts";
import { ceilOver, least, loop, minus, offsetOf, plus, times, type Index, type Writer } from "../writer.ts";

/** Some rows from `row`, as many as are left of them, and columns of them. */
export type Block = {
  readonly row: Index;
  /** Rows of a whole block, and of this one. */
  readonly most: number;
  readonly rows: Index;
  readonly column: Index;
  readonly columns: number;
  /** Of heads, so many from `head`; absent, all. */
  readonly head?: Index;
  readonly heads?: number;
};

const headsOf = ({ heads = 1 }: View): number => heads;

/** A block of an operand, all heads. */
export function boxOf(w: Writer, name: string, view: View, block: Block): Box {
  const all = headsOf(view);
  const { head = 0, heads = all } = block;
  const { width, rowStride = all * width, headStride = width } = view;
  const offset = offsetOf(w, `${name}.offset`, [block.row, rowStride], [head, headStride], [block.column, 1]);
  const array = { name, element: elementOf(view.dtype) };
  return all > 1
    ? { array, offset, strides: [rowStride, headStride, 1], sizes: [block.most, heads, block.columns], valid: [block.rows, heads, block.columns] } // prettier-ignore
    : { array, offset, strides: [rowStride, 1], sizes: [block.most, block.columns], valid: [block.rows, block.columns] }; // prettier-ignore
}

/** A block of one number a row. */
export const columnBox = (name: string, element: "f32" | "i32", { row, most, rows }: Block): Box => ({
  array: { name, element },
  offset: row,
  strides: [1],
  sizes: [most],
  valid: [rows],
});

/** Bytes of float32 that a block has, so that a core holds several of them. */
const blockBytes = 16 * 1024;

/** Rows of so many numbers that make a block. */
export const blockRows = (numbers: number): number => Math.max(1, Math.floor(blockBytes / (4 * numbers)));

/** Every block of whole rows. */
export function overRows(
  { w, core, cores }: Scope,
  rows: Index,
  most: number,
  width: number,
  body: (block: Block) => void,
): void {
  const blocks = ceilOver(w, "blocks", rows, most);
  loop(w, "block", [core, blocks, cores], (at) => {
    const row = times(w, "row", at, most);
    const here = most === 1 ? 1 : least(w, "rows", minus(w, "left", rows, row), most);
    body({ row, most, rows: here, column: 0, columns: width });
  });
}

/** The largest part of a width, not above `most`, that divides it and that `unit` divides. */
export function evenPart(width: number, most: number, unit = 1): number {
  for (let parts = Math.ceil(width / most); parts <= width; parts++)
    if (width % parts === 0 && (width / parts) % unit === 0) return width / parts;
  return width;
}

/** The columns of a block, `part` at a time. */
export function overColumns(w: Writer, block: Block, part: number, body: (block: Block) => void): void {
  if (part === block.columns) return body(block);
  loop(w, "column", [0, block.columns, part], (at) =>
    body({ ...block, column: plus(w, "from", block.column, at), columns: part }),
  );
}

/** The heads of a block, `part` at a time. */
export function overHeads(
  w: Writer,
  block: Block,
  heads: number,
  part: number,
  body: (block: Block) => void,
): void {
  if (part === heads) return body(block);
  loop(w, "head", [0, heads, part], (head) => body({ ...block, head, heads: part }));
}

/** The columns of a block out of a tensor of its whole rows. */
export function columnsOf(w: Writer, x: Tensor, { column, columns, most }: Block): Tensor {
  if (columns === x.sizes.at(-1)) return x;
  const part = tensorOf("%", [most, columns], x.element);
  const name = w.value(
    "columns",
    `tensor.extract_slice ${x.name}[0, ${column}] [${most}, ${columns}] [1, 1] : ${x.type} to ${part.type}`,
  );
  return { ...part, name };
}

/** A block of an operand as float32; sums of codes times the scales of their columns, then of their rows. */
export function floats(w: Writer, name: string, view: View, block: Block): Tensor {
  const x = converted(w, `${name}.real`, load(w, name, boxOf(w, name, view, block)), "f32");
  if (!view.isSums) return x;
  const { column, columns } = block;
  const array = { name: `${name}Scales`, element: "f32" } as const;
  const scales = load(w, array.name, {
    array,
    offset: column,
    strides: [1],
    sizes: [columns],
    valid: [columns],
  });
  const scaled = binary(w, `${name}.scaled`, "arith.mulf", x, perRow(w, `${array.name}.wide`, scales, x));
  const own = load(w, `${name}RowScales`, columnBox(`${name}RowScales`, "f32", block));
  return binary(w, `${name}.whole`, "arith.mulf", scaled, alongRows(w, `${name}RowScales.wide`, own, x));
}
