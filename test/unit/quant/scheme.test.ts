/** Recipes as users write them. */
import { describe, expect, test } from "vitest";
import { autoScheme, namedScheme, parseRecipeFile } from "../../../src/quant/scheme.ts";

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

describe("a plan calls a recipe by what it says", () => {
  const exceptions = { "*.kv_b_proj.weight": "int8", "*.down_proj.*": "none" };

  test.each([
    [{ weights: "int4-g32" }, namedScheme("int4-g32")],
    [{ weights: "int8", activations: "int8" }, namedScheme("w8a8")],
    [{ weights: "int4-g32", activations: "int8" }, namedScheme("w4a8")],
    [{ weights: "auto", bits: 4.5 }, autoScheme(4.5)],
  ])("%j is what the scheme of that name is", (recipe, named) => {
    expect(parse(recipe)).toEqual(named);
  });

  test.each([
    [{ weights: "int4-g128", activations: "int8" }, "int4-g128 with int8 activations"],
    [{ weights: "auto", bits: 5, activations: "int8" }, "auto-5 with int8 activations"],
    [{ weights: "int8", tensors: { "*.down_proj.*": "none" } }, "int8 with 1 exception (HASH)"],
    [{ weights: "int8", activations: "int8", tensors: exceptions }, "w8a8 with 2 exceptions (HASH)"],
  ])("%j is %s", (recipe, name) => {
    expect(parse(recipe).name.replace(/[0-9a-f]{8}/, "HASH")).toBe(name);
  });

  test("and not by its file, nor by how it is written", () => {
    const { name } = parse({ weights: "int8", tensors: exceptions });
    const apart = JSON.stringify(
      { tensors: exceptions, activations: "float", weights: "int8" },
      undefined,
      2,
    );
    expect(parseRecipeFile(apart, "/dev/fd/63").name).toBe(name);
  });

  test("so that recipes which say something else have other names", () => {
    const { "*.down_proj.*": last, ...first } = exceptions;
    const said = [exceptions, first, { "*.down_proj.*": last, ...first }, { ...exceptions, "*": "none" }];
    const names = said.map((tensors) => parse({ weights: "int8", tensors }).name);
    expect(new Set(names).size).toBe(said.length);
  });
});
