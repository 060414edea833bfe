import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/graph.ts";
import type { Recipe } from "../../tensor/recipe.ts";
import type { TensorDesk } from "./tensors.ts";

/** One decoder layer's place in the names of the checkpoint. */
export type LayerScope = {
  readonly b: Builder;
  readonly desk: TensorDesk;
  readonly index: number;
  /** The full name of something in this layer. */
  readonly name: (local: string) => string;
  readonly recipe: (local: string, shape: readonly number[], why: string) => Recipe;
  readonly constant: (recipe: Recipe, local: string) => Value;
  readonly weight: (local: string, shape: readonly number[], why: string) => Value;
};

export function layerScope(b: Builder, desk: TensorDesk, index: number): LayerScope {
  const name = (local: string) => `model.layers.${index}.${local}`;
  const recipe: LayerScope["recipe"] = (local, shape, why) => desk.take(name(local), shape, why);
  const constant: LayerScope["constant"] = (r, local) => b.op("weight", [], { recipe: r }, [name(local)]);
  return {
    b,
    desk,
    index,
    name,
    recipe,
    constant,
    weight: (local, shape, why) => constant(recipe(local, shape, why), local),
  };
}
