import type { NodeOf, Value } from "../../src/ir/graph.ts";
import { constant, node, op, shared, weight } from "../../src/pass/pattern.ts";
import { rule, rulePass } from "../../src/pass/rewrite.ts";
import { constant as literal, dequantize, reshape, type Recipe } from "../../src/tensor/recipe.ts";

/** The block of elements that shares a scale: whole axes where the scale has size 1. */
function blockOf(shape: readonly number[], scale: readonly number[]): readonly [number, number] | undefined {
  const wide = [...Array<number>(Math.max(0, shape.length - scale.length)).fill(1), ...scale];
  if (wide.length !== shape.length) return undefined;
  const block = shape.map((size, i) => size / (wide[i] ?? 1));
  const [rows, columns] = block;
  return rows !== undefined && columns !== undefined && block.every(Number.isInteger)
    ? [rows, columns]
    : undefined;
}

/** codes * scale as one recipe, for matrices. */
function scaled(codes: NodeOf<"weight">, scale: Recipe): Recipe | undefined {
  const { recipe } = codes.attrs;
  const block = recipe.shape.length === 2 ? blockOf(recipe.shape, scale.shape) : undefined;
  if (!block) return undefined;
  const grid = recipe.shape.map((size, i) => size / (block[i] ?? size));
  return dequantize(recipe, scale.shape.join() === grid.join() ? scale : reshape(scale, grid), block);
}

const codes = shared(op("cast", shared(weight("codes"))));
const isCode = (value: Value | undefined): boolean => /^[iu]/.test(value?.type.dtype ?? "");

/** Weights behind DequantizeLinear are weights: their codes times their scales, as a recipe. */
export const raiseQuantized = rulePass("raise-quantized", "mul(cast(codes), scales) ⟶ weight", [
  rule({
    name: "dequantize-weight",
    doc: "mul(cast(weight), weight) ⟶ weight",
    match: op("mul", codes, shared(weight("scales"))),
    when: ({ codes: c }) => isCode(c.results[0]),
    rewrite: ({ codes: c, scales }, site) => {
      const recipe = scaled(c, scales.attrs.recipe);
      return recipe && site.make("weight", [], { recipe });
    },
  }),
  rule({
    name: "dequantize-weight-by-one",
    doc: "mul(cast(weight), constant) ⟶ weight",
    match: node("root", op("mul", codes, shared(constant("scale")))),
    when: ({ codes: c, scale }) => isCode(c.results[0]) && scale.attrs.values.length === 1,
    rewrite: ({ codes: c, scale }, site) => {
      const recipe = scaled(c, literal([1, 1], scale.attrs.values));
      return recipe && site.make("weight", [], { recipe });
    },
  }),
]);
