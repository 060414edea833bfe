import { subtractDims } from "../../src/ir/dim.ts";
import { isOp, type Node, type NodeOf, type Value } from "../../src/ir/graph.ts";
import type { Recipe } from "../../src/tensor/recipe.ts";
import { numbers, type Box, type Range } from "./box.ts";
import type { Cut } from "./cut.ts";
import { columnUnit, shareOf } from "./ranges.ts";
import { cutHalves, cutRecipe, pickExperts } from "./recipes.ts";

/** The routed experts of a layer. */
export type Mixture = NodeOf<"experts"> | NodeOf<"integerExperts">;
export const isMixture = (node: Node | undefined): node is Mixture =>
  isOp(node, "experts") || isOp(node, "integerExperts");

/** The operands of a mixture that are weights. */
type Stacks = { readonly gateUp: readonly Value[]; readonly down: readonly Value[] };

const stacksOf = (node: Mixture): Stacks =>
  isOp(node, "experts")
    ? { gateUp: node.operands.slice(3, 4), down: node.operands.slice(4, 5) }
    : { gateUp: node.operands.slice(3, 5), down: node.operands.slice(5, 7) };

function recipeOf(cut: Cut, value: Value): Recipe {
  const maker = cut.maker(value);
  if (!isOp(maker, "weight")) throw new Error("the matrices of experts are weights");
  return maker.attrs.recipe;
}

/** The inner columns of every expert that this rank has. */
function innerOf(cut: Cut, node: Mixture): Range {
  const { down } = stacksOf(node);
  const [matrix] = down;
  if (!matrix) throw new Error("experts have matrices");
  const recipe = recipeOf(cut, matrix);
  const size = recipe.shape.at(-1) ?? 1;
  const group = isOp(node, "integerExperts")
    ? Math.max(node.attrs.downGroup < size ? node.attrs.downGroup : 1, node.attrs.downRotation)
    : columnUnit(recipe);
  return shareOf(size, group, cut.tensors, "inner columns of an expert");
}

/** This rank's part of the weights: of its experts those inner columns. */
function weightsOf(cut: Cut, node: Mixture, experts: readonly number[], inner: Range): readonly Value[] {
  const { gateUp, down } = stacksOf(node);
  const [begin, end] = numbers(inner);
  const emit = (value: Value, of: (r: Recipe) => Recipe): Value =>
    cut.emit(
      "weight",
      [],
      { recipe: of(pickExperts(recipeOf(cut, value), experts)) },
      cut.maker(value)?.origin ?? [],
    );
  const columns = (r: Recipe, first: boolean): Recipe => {
    if (first) return cutRecipe(r, 2, begin, end);
    const [groups = 1, group] = [r.shape[2], isOp(node, "integerExperts") ? node.attrs.downGroup : 1];
    return groups === 1 ? r : cutRecipe(r, 2, begin / group, Math.min(groups, Math.ceil(end / group)));
  };
  return [
    ...gateUp.map((v) => emit(v, (r) => cutHalves(r, 1, begin, end))),
    ...down.map((v, i) => emit(v, (r) => columns(r, i === 0))),
  ];
}

/** The number of a layer of experts among all of them. */
const layerOf = (cut: Cut, node: Mixture): number => cut.func.body.filter(isMixture).indexOf(node);

const expertCount = (node: Mixture): number => Number(node.operands[3]?.type.dims[0]);

/**
 * A part of what the experts give. Where ranks share them, each sends its own tokens to where their experts are, and gets back what came
 * of them; elsewhere it is summed over this rank's inner columns of all.
 */
export function mixturePiece(cut: Cut, node: Mixture, box: Box): Value {
  const [x, indices, weights] = node.operands;
  const inner =
    cut.experts.of === 1 && cut.tensors.of > 1
      ? innerOf(cut, node)
      : { begin: 0, end: Number(node.operands.at(isOp(node, "experts") ? 4 : 5)?.type.dims[2]) };
  const operands = [x, indices, weights].map((v) => cut.piece(v, box));
  const run = (inputs: readonly Value[], experts: readonly number[]): Value =>
    cut.emit(node.op, [...inputs, ...weightsOf(cut, node, experts, inner)], node.attrs as never, node.origin); // of the same operator
  if (cut.experts.of === 1)
    return run(
      operands,
      Array.from({ length: expertCount(node) }, (_, e) => e),
    );
  const layer = layerOf(cut, node);
  const { group, index } = cut.experts;
  const held = cut.held(layer, expertCount(node));
  const starts = held.reduce<number[]>((all, it) => [...all, (all.at(-1) ?? 0) + it.length], [0]);
  const attrs = { group, held: held.flat(), starts, count: `A${layer}` };
  const [rows, slots, shares, from] = cut.emitAll("dispatch", operands, attrs, node.origin);
  const own = held[index] ?? [];
  if (!rows || !slots || !shares || !from) throw new Error("dispatch has four results");
  const answers = own.length > 0 ? run([rows, slots, shares], own) : rows; // to a rank without experts nothing comes
  const tokens = box.get(0);
  const size = tokens ? subtractDims(tokens.end, tokens.begin) : (x?.type.dims[0] ?? 0);
  return cut.emit("combine", [answers, from], { group, size }, node.origin);
}
