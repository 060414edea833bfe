import { isOp, type Node, type Value } from "../ir/graph.ts";
import { inputs, type Recipe } from "../tensor/recipe.ts";
import { isFree } from "./pattern.ts";

/**
 * Where a new node comes from: one that computes, from all covered nodes that compute; a weight, from those
 * weights its recipe is made of.
 */
export function mergeOrigins(
  covered: readonly Node[],
  definition: (value: Value) => Node | undefined,
): (made: Node) => readonly string[] {
  const unique = (nodes: readonly Node[]) => [...new Set(nodes.flatMap((n) => n.origin))];
  const computing = unique(covered.filter((n) => !isFree(n)));
  const read = covered.flatMap((n) => n.operands).map(definition);
  const free = [...new Set([...covered, ...read])].filter((n): n is Node => n !== undefined && isFree(n));
  const byRecipe = Map.groupBy(
    free.filter((n) => isOp(n, "weight")),
    (n) => n.attrs.recipe,
  );
  const within = (recipe: Recipe): readonly Node[] => byRecipe.get(recipe) ?? inputs(recipe).flatMap(within);
  return (made) => {
    if (!isFree(made)) return computing;
    const parts = isOp(made, "weight") ? within(made.attrs.recipe) : [];
    return unique(parts.length > 0 ? parts : free);
  };
}
