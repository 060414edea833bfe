/** Recipes as users write them. */
import { expect, test } from "vitest";
import { parseRecipeFile } from "../../../src/quant/scheme.ts";

const parse = (recipe: unknown) => parseRecipeFile(JSON.stringify(recipe), "recipe.json");

test("a recipe may leave formats to be chosen within a budget, and still keep some tensors", () => {
  const scheme = parse({ weights: "auto", bits: 4.25, tensors: { "*.kv_b_proj.weight": "none" } });
  expect(scheme.bits).toBe(4.25);
  expect(scheme.tensors[0]?.pattern.test("model.layers.0.self_attn.kv_b_proj.weight")).toBe(true);
});

test.each([{ weights: "auto" }, { weights: "int4", bits: 4 }, { weights: "auto", bits: 99 }])(
  "%j is refused",
  (recipe) => {
    expect(() => parse(recipe)).toThrow(/recipe/);
  },
);
