import type { DType } from "../tensor/dtype.ts";
import { sourceNames, type Recipe } from "../tensor/recipe.ts";

/**
 * How a weight lies in the plan.
 * `plain`: row-major as the recipe gives it. `vector`: widened to float32.
 * `packed`: blocks of 16 rows for the matrix kernels, see tensor/pack.ts; leading axes are matrices of their own.
 */
export type WeightLayout = "plain" | "vector" | "packed";

/** A weight that engine kernels read. */
export type EngineWeight = {
  readonly name: string;
  readonly layout: WeightLayout;
  /** bf16 or f32: the element type after layout. */
  readonly dtype: Extract<DType, "bf16" | "f32">;
  readonly recipe: Recipe;
};

/** Codes of a quantized matrix; the recipe gives integers a byte each. */
export type CodeWeight = {
  readonly name: string;
  readonly layout: "packed";
  readonly dtype: Extract<DType, "i8" | "i4" | "f4e2m1">;
  readonly recipe: Recipe;
};

/** Scales that are powers of two, a byte each. */
export type PowerWeight = {
  readonly name: string;
  readonly layout: "packed";
  readonly dtype: Extract<DType, "f8e8m0">;
  readonly recipe: Recipe;
};

/** A weight as its recipe gives it, row-major and in its own dtype. */
export type ExactWeight = {
  readonly name: string;
  readonly layout: "exact";
  readonly dtype: DType;
  readonly recipe: Recipe;
};

/** A weight the plan must hold: what to write and how. */
export type WeightRequest = EngineWeight | CodeWeight | PowerWeight | ExactWeight;

/** Collects the weights that programs ask for; the same recipe in the same layout is stored once. */
export type WeightShelf = {
  readonly request: (recipe: Recipe, layout: WeightLayout, key: string) => EngineWeight;
  /** The scales of a quantized matrix, packed in the dtype they have. */
  readonly scales: (recipe: Recipe, key: string) => EngineWeight | PowerWeight;
  /** A matrix of codes, packed: signed bytes of which so many bits count, or f4e2m1. */
  readonly codes: (recipe: Recipe, bits: 4 | 8, key: string) => CodeWeight;
  readonly exact: (recipe: Recipe, key: string) => ExactWeight;
  readonly requests: () => readonly WeightRequest[];
};

/** A readable name: the tensor's own, or the first of many and how many follow. */
function readableName(recipe: Recipe): string {
  const names = sourceNames(recipe);
  const [first = "constant"] = names;
  return names.length > 1 ? `${first}+${names.length - 1}` : first;
}

export function weightShelf(): WeightShelf {
  const engine = new Map<string, EngineWeight>();
  const codes = new Map<string, CodeWeight>();
  const powers = new Map<string, PowerWeight>();
  const exact = new Map<string, ExactWeight>();
  const taken = new Map<string, number>();
  const freshName = (recipe: Recipe, layout: string): string => {
    const base = `${readableName(recipe)}:${layout}`;
    const count = taken.get(base) ?? 0;
    taken.set(base, count + 1);
    return count === 0 ? base : `${base}#${count}`;
  };
  const once = <T>(shelf: Map<string, T>, id: string, make: () => T): T => {
    const known = shelf.get(id) ?? make();
    shelf.set(id, known);
    return known;
  };
  const request: WeightShelf["request"] = (recipe, layout, key) =>
    once(engine, `${layout}:${key}`, () => ({
      name: freshName(recipe, layout),
      layout,
      dtype: layout !== "vector" && recipe.dtype === "bf16" ? "bf16" : "f32",
      recipe,
    }));
  return {
    request,
    scales: (recipe, key) =>
      recipe.dtype === "f8e8m0"
        ? once(powers, key, () => ({
            name: freshName(recipe, "e8m0"),
            layout: "packed",
            dtype: "f8e8m0",
            recipe,
          }))
        : request(recipe, "packed", key),
    codes: (recipe, bits, key) =>
      once(codes, `${bits}:${key}`, () => ({
        name: freshName(recipe, recipe.dtype === "f4e2m1" ? "e2m1" : `int${bits}`),
        layout: "packed",
        dtype: recipe.dtype === "f4e2m1" ? "f4e2m1" : bits === 4 ? "i4" : "i8",
        recipe,
      })),
    exact: (recipe, key) =>
      once(exact, key, () => ({
        name: freshName(recipe, "exact"),
        layout: "exact",
        dtype: recipe.dtype,
        recipe,
      })),
    requests: () => [...engine.values(), ...powers.values(), ...codes.values(), ...exact.values()],
  };
}
