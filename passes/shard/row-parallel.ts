import { isOp, type Node, type NodeOf, type Value } from "../../src/ir/graph.ts";
import { fail } from "../../src/support/diagnostics.ts";
import type { Recipe } from "../../src/tensor/recipe.ts";
import { boxOf, numbers, withRange, type Box, type Range } from "./box.ts";
import { cachesBehind } from "./caches.ts";
import type { Cut } from "./cut.ts";
import { columnUnit, headRange, headUnit, shareOf } from "./ranges.ts";

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

/** What attention gives for each head, and the attention itself. */
function attentionOf(
  cut: Cut,
  value: Value | undefined,
): NodeOf<"attention"> | NodeOf<"latentAttention"> | undefined {
  const maker = value && cut.maker(value);
  if (isOp(maker, "headLinear")) return attentionOf(cut, maker.operands[0]);
  return isOp(maker, "attention") || isOp(maker, "latentAttention") ? maker : undefined;
}

/** The heads of this rank, of `width` columns each, of which none parts columns that must stay together. */
function headsOf(cut: Cut, attention: Node, width: number, unit: number): Range {
  const [q, k] = attention.operands;
  const heads = Number(q?.type.dims[1]);
  // Cached groups are shared as the cache is; heads that share all of a cache, as they suit the product.
  if (cachesBehind(cut.maker, k).length === 0)
    return shareOf(heads, headUnit(width, unit), cut.tensors, "attention heads");
  const range = headRange(heads, Number(k?.type.dims[1]), cut.tensors);
  const edges = numbers(range).map((at) => at * width);
  return edges.every((at) => at % unit === 0 || at === heads * width)
    ? range
    : fail("cluster/torn-group", { kind: "flag", flag: "--parallel" }, width, unit);
}

/** Whether a product is of heads that the tensor ranks have between them. */
export function isOfHeads(cut: Cut, node: Node): boolean {
  const from = (x: Value | undefined): boolean => {
    const maker = x && cut.maker(x);
    if (isOp(maker, "hadamard")) return from(maker.operands[0]);
    return isOp(maker, "reshape") && attentionOf(cut, maker.operands[0]) !== undefined;
  };
  return cut.tensors.of > 1 && isProduct(node) && from(node.operands[0]);
}

/** The columns of x that this rank has where x comes out of what ranks share, heads or inner columns; undefined where it does not. */
function columnsOf(cut: Cut, x: Value | undefined, unit: number): Range | undefined {
  const maker = x && cut.maker(x);
  const size = Number(x?.type.dims.at(-1));
  if (isOp(maker, "hadamard")) return columnsOf(cut, maker.operands[0], Math.max(unit, maker.attrs.block));
  if (isOp(maker, "swigluPacked") || isOp(maker, "swiglu"))
    return shareOf(size, unit, cut.tensors, "inner columns");
  const [inner] = maker?.operands ?? [];
  if (!isOp(maker, "reshape") || inner?.type.dims.length !== 3) return undefined;
  const attention = attentionOf(cut, inner);
  const width = Number(inner.type.dims[2]);
  if (!attention) return undefined;
  const [begin, end] = numbers(headsOf(cut, attention, width, unit));
  return { begin: begin * width, end: end * width };
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
