import type { DType } from "../tensor/dtype.ts";
import { sourceNames, type Recipe } from "../tensor/recipe.ts";

/**
 * How a weight lies in the plan.
 * `plain`: row-major as the recipe gives it. `vector`: widened to float32.
 * `packed`: blocks of 16 rows for the matrix kernels, see tensor/pack.ts; leading axes are matrices of their own.
 */
export type WeightLayout = "plain" | "vector" | "packed";

/** A weight the plan must hold: what to write and how. */
export type WeightRequest = {
  readonly name: string;
  readonly layout: WeightLayout;
  /** bf16 or f32: the element type after layout. */
  readonly dtype: Extract<DType, "bf16" | "f32">;
  readonly recipe: Recipe;
};

/** Collects the weights that programs ask for; the same recipe in the same layout is stored once. */
export type WeightShelf = {
  readonly request: (recipe: Recipe, layout: WeightLayout, key: string) => WeightRequest;
  readonly requests: () => readonly WeightRequest[];
};

/** A readable name: the tensor's own, or the first of many and how many follow. */
function readableName(recipe: Recipe): string {
  const names = sourceNames(recipe);
  const [first = "constant"] = names;
  return names.length > 1 ? `${first}+${names.length - 1}` : first;
}

export function weightShelf(): WeightShelf {
  const byKey = new Map<string, WeightRequest>();
  const taken = new Map<string, number>();
  return {
    request: (recipe, layout, key) => {
      const id = `${layout}:${key}`;
      const known = byKey.get(id);
      if (known) return known;
      const base = `${readableName(recipe)}:${layout}`;
      const count = taken.get(base) ?? 0;
      taken.set(base, count + 1);
      const request: WeightRequest = {
        name: count === 0 ? base : `${base}#${count}`,
        layout,
        dtype: layout !== "vector" && recipe.dtype === "bf16" ? "bf16" : "f32",
        recipe,
      };
      byKey.set(id, request);
      return request;
    },
    requests: () => [...byKey.values()],
  };
}
