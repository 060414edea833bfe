import { makeNode } from "../../src/ir/builder.ts";
import { isOp, type Node, type NodeOf, type Value } from "../../src/ir/graph.ts";
import { edit, type Site } from "../../src/pass/edit.ts";
import { counter, type Pass } from "../../src/pass/pass.ts";
import { mapMatrices } from "../../src/tensor/matrices.ts";
import { quantized, sourceNames, type Recipe } from "../../src/tensor/recipe.ts";

/** What a weight is to the model. Routers and heads are products too, yet a small error in them costs more. */
export type WeightRole = "linear" | "expert" | "router" | "head";

/** What takes the place of a matrix [out, in] in a weight, or undefined where it stays as it is. `name` is the checkpoint's. */
export type WeightChoice = (name: string, role: WeightRole, matrix: Recipe) => Recipe | undefined;

const ruleName = "quantize-weight";

/** Whether a value is what routers choose by. */
const isLogitsOfRouter = (site: Site, value: Value | undefined): boolean =>
  value !== undefined &&
  [...site.readers(value)].some((reader) => isOp(reader, "router") && reader.operands[0] === value);

/** The role a reader gives to a weight, or undefined where it does not multiply with it. */
function roleIn(site: Site, reader: Node, weight: Value): WeightRole | undefined {
  const at = reader.operands.indexOf(weight);
  const [out] = reader.results;
  switch (reader.op) {
    case "linear":
      if (at !== 1 || !out) return undefined;
      if (isLogitsOfRouter(site, out)) return "router";
      return site.isResult(out) ? "head" : "linear";
    case "experts":
    case "expert":
      return at > 2 ? "expert" : undefined;
    case "latentAttention":
      return at === 3 ? "linear" : undefined;
    default:
      return undefined;
  }
}

/** The one role of a weight for all that read it. */
export function roleOf(site: Site, weight: Value): WeightRole | undefined {
  const roles = new Set([...site.readers(weight)].map((reader) => roleIn(site, reader, weight)));
  return roles.size === 1 && !site.isResult(weight) ? [...roles][0] : undefined;
}

/** A pass that puts quantized matrices in the place of those that `choose` names. */
export const quantizeWeights = (choose: WeightChoice): Pass => ({
  name: "quantize-weights",
  summary: "weights of products ⟶ codes behind scales",
  scope: "all",
  tolerance: 0.2,
  rules: [ruleName],
  run: (func, enabled = () => true) => {
    const { counts, add } = counter();
    if (!enabled(ruleName)) return { func, counts };
    const { site } = edit(func);
    const quantizedOf = new Map<Value, Value>();
    const renew = (node: Node): Node => {
      const made = isOp(node, "weight") ? quantizedNode(site, node, choose) : undefined;
      if (!made) return withOperands(node, quantizedOf);
      node.results.forEach((old, i) => quantizedOf.set(old, made.results[i] ?? old));
      add(ruleName);
      return made;
    };
    const body = func.body.map(renew);
    return { func: quantizedOf.size > 0 ? { ...func, body } : func, counts };
  },
});

/** The weights of layers in one format, for whoever asks for the pass by name. */
export const allInt8 = quantizeWeights((_, role, matrix) =>
  role === "linear" || role === "expert" ? quantized(matrix, "int8", "nearest") : undefined,
);

/** A weight with its matrices quantized, or undefined where it stays. Its dtype may change; products take any. */
function quantizedNode(site: Site, node: NodeOf<"weight">, choose: WeightChoice): Node | undefined {
  const [old] = node.results;
  const role = old && roleOf(site, old);
  if (!role) return undefined;
  const recipe = mapMatrices(
    node.attrs.recipe,
    (matrix) => choose(sourceNames(matrix).join("+"), role, matrix) ?? matrix,
  );
  return recipe === node.attrs.recipe ? undefined : makeNode("weight", [], { recipe }, node.origin);
}

const withOperands = (node: Node, by: ReadonlyMap<Value, Value>): Node =>
  node.operands.some((v) => by.has(v))
    ? { ...node, operands: node.operands.map((v) => by.get(v) ?? v) }
    : node;
