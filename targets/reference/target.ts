import { definitions, isOp, type Func, type Module } from "../../src/ir/graph.ts";
import { formatRecipe } from "../../src/ir/printer.ts";
import type { Dim } from "../../src/ir/dim.ts";
import { weightShelf, type WeightRequest } from "../../src/plan/weights.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import type { Recipe } from "../../src/tensor/recipe.ts";

/** A tensor that goes into a graph or comes out of it. */
export type GraphValue = { readonly name: string; readonly dtype: DType; readonly dims: readonly Dim[] };

/** A graph for the interpreter: what it takes, what it gives, and the weights it reads. */
export type ReferenceCode = {
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly weights: readonly WeightRequest[];
};

/** The stored weights of a function by recipe. The same function has the same names, so that a plan need not list them. */
export function storedWeights(func: Func): ReadonlyMap<string, WeightRequest> {
  const shelf = weightShelf();
  const byKey = new Map<string, WeightRequest>();
  for (const node of new Set(definitions(func).values()))
    if (isOp(node, "weight")) {
      const key = formatRecipe(node.attrs.recipe);
      byKey.set(key, shelf.exact(node.attrs.recipe, key));
    }
  return byKey;
}

/** How a weight of a graph is found again: by its recipe. */
export const weightKey = (recipe: Recipe): string => formatRecipe(recipe);

/** A module of one function, as the reference interpreter runs it. */
export function referenceTarget(module: Module): ReferenceCode {
  const [func] = module.funcs;
  if (!func) throw new Error("a graph has one function");
  return {
    inputs: func.params.map(({ name, type }) => ({ name, ...type })),
    outputs: func.results.map(({ name, value }) => ({ name, ...value.type })),
    weights: [...storedWeights(func).values()],
  };
}
