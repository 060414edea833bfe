import { isOp, type Func } from "../ir/graph.ts";
import { formatRecipe } from "../ir/printer.ts";
import type { Recipe } from "../tensor/recipe.ts";
import { weightShelf, type WeightRequest } from "./weights.ts";

/** How a weight of a graph is found again: by its recipe. */
export const weightKey = (recipe: Recipe): string => formatRecipe(recipe);

/** The stored weights of a function by recipe. The same function has the same names, so that a plan need not list them. */
export function storedWeights(func: Func): ReadonlyMap<string, WeightRequest> {
  const shelf = weightShelf();
  const byKey = new Map<string, WeightRequest>();
  for (const node of func.body)
    if (isOp(node, "weight")) {
      const key = weightKey(node.attrs.recipe);
      byKey.set(key, shelf.exact(node.attrs.recipe, key));
    }
  return byKey;
}
