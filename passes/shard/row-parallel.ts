import { isOp, type Node, type NodeOf, type Value } from "../../src/ir/graph.ts";
import { fail } from "../../src/support/diagnostics.ts";
import type { Recipe } from "../../src/tensor/recipe.ts";
import { boxOf, numbers, withRange, type Box, type Range } from "./box.ts";
import type { Cut } from "./cut.ts";
import { columnUnit, headRange, shareOf } from "./ranges.ts";

/** A product with a matrix of weights. */
export type Product = NodeOf<"linear"> | NodeOf<"integerLinear">;
export const isProduct = (node: Node | undefined): node is Product =>
  isOp(node, "linear") || isOp(node, "integerLinear");

const recipeOf = (cut: Cut, value: Value | undefined): Recipe | undefined => {
  const maker = value && cut.maker(value);
  return isOp(maker, "weight") ? maker.attrs.recipe : undefined;
};

/** How many columns of a product's matrix must stay together. */
function unitOf(cut: Cut, node: Product): number {
  const matrix = recipeOf(cut, node.operands[1]);
  if (!matrix) return 1;
  if (isOp(node, "linear")) return columnUnit(matrix);
  return node.attrs.group < (matrix.shape.at(-1) ?? 1) ? node.attrs.group : 1;
}

/** The heads of this rank in what attention gives. */
function headsOf(cut: Cut, value: Value | undefined): Range | undefined {
  const maker = value && cut.maker(value);
  if (isOp(maker, "headLinear")) return headsOf(cut, maker.operands[0]);
  const [q, k] = maker?.operands ?? [];
  const heads = Number(q?.type.dims[1]);
  if (isOp(maker, "attention")) return headRange(heads, Number(k?.type.dims[1]), cut.tensors);
  // Latent attention has keys for each head once they are made from the cache.
  return isOp(maker, "latentAttention") ? headRange(heads, heads, cut.tensors) : undefined;
}

/** A range of columns, all of them in units of which none is torn. */
function aligned(range: Range, unit: number, size: number): Range {
  const fits = numbers(range).every((at) => at % unit === 0 || at === size);
  return fits
    ? range
    : fail("cluster/torn-group", { kind: "flag", flag: "--parallel" }, numbers(range)[0], unit);
}

/** The columns of x that this rank has where x comes out of what ranks share, heads or inner columns; undefined where it does not. */
function columnsOf(cut: Cut, x: Value | undefined, unit: number): Range | undefined {
  const maker = x && cut.maker(x);
  const size = Number(x?.type.dims.at(-1));
  if (isOp(maker, "hadamard")) return columnsOf(cut, maker.operands[0], Math.max(unit, maker.attrs.block));
  if (isOp(maker, "swigluPacked") || isOp(maker, "swiglu"))
    return shareOf(size, unit, cut.tensors, unit > 1 ? `groups of ${unit} inner columns` : "inner columns");
  const [inner] = maker?.operands ?? [];
  if (!isOp(maker, "reshape") || inner?.type.dims.length !== 3) return undefined;
  const heads = headsOf(cut, inner);
  const width = Number(inner.type.dims[2]);
  if (!heads) return undefined;
  const [begin, end] = numbers(heads);
  return aligned({ begin: begin * width, end: end * width }, unit, size);
}

/** Whether a product sums over columns that the tensor ranks have between them. */
export const isRowParallel = (cut: Cut, node: Node | undefined): node is Product =>
  cut.tensors.of > 1 && isProduct(node) && columnsOf(cut, node.operands[0], unitOf(cut, node)) !== undefined;

/** What this rank adds to a part of a product: its own columns of x and of the matrix; the first rank adds the bias too. */
export function partialProduct(cut: Cut, node: Product, box: Box): Value {
  const [x, w, ...more] = node.operands;
  const last = (x?.type.dims.length ?? 1) - 1;
  const columns = columnsOf(cut, x, unitOf(cut, node));
  if (!x || !columns) throw new Error(`${node.op} is not split between ranks`);
  const input = cut.piece(x, withRange(box, last, columns));
  const matrix = cut.piece(w, boxOf(1, columns));
  if (isOp(node, "linear"))
    return cut.emit("linear", [input, matrix, ...biasOf(cut, more[0])], {}, node.origin);
  const scales = cut.piece(more[0], scalesOf(columns, node.attrs.group, more[0]));
  return cut.emit("integerLinear", [input, matrix, scales, ...biasOf(cut, more[1])], node.attrs, node.origin);
}

const biasOf = (cut: Cut, bias: Value | undefined): readonly Value[] =>
  bias && cut.tensors.index === 0 ? [cut.piece(bias, new Map())] : [];

/** The scales of whole groups of columns; one scale for a whole row serves every part of it. */
export function scalesOf(columns: Range, group: number, scales: Value | undefined): Box {
  const axis = (scales?.type.dims.length ?? 1) - 1;
  const count = Number(scales?.type.dims[axis]);
  const [begin, end] = numbers(columns);
  return count === 1
    ? new Map()
    : boxOf(axis, { begin: begin / group, end: Math.min(count, Math.ceil(end / group)) });
}
