import { any, node, op, shared, weight } from "../../src/pass/pattern.ts";
import { rule, rulePass } from "../../src/pass/rewrite.ts";
import { slice, transpose } from "../../src/tensor/recipe.ts";

/** A product with a weight is a linear layer, whose weight stands as [out, in]. */
export const raiseLinear = rulePass("raise-linear", "matmul(x, weight) ⟶ linear(x, weight^T)", [
  rule({
    name: "matmul-to-linear",
    doc: "matmul(x, weight) ⟶ linear(x, weight^T)",
    match: op("matmul", any("x"), shared(weight("w"))),
    when: ({ x, w }) => w.attrs.recipe.shape.length === 2 && x.type.dtype === "f32",
    rewrite: ({ x, w }, site) =>
      site.make("linear", [x, site.make("weight", [], { recipe: transpose(w.attrs.recipe) }, w.origin)], {}),
  }),
  rule({
    name: "linear-bias",
    doc: "add(linear(x, w), bias) ⟶ linear(x, w, bias)",
    match: op("add", node("product", op("linear", any("x"), any("w"))), shared(weight("bias"))),
    when: ({ product, bias }) => bias.attrs.recipe.shape.length === 1 && product.operands.length === 2,
    rewrite: ({ x, w, bias }, site) => site.make("linear", [x, w, ...bias.results], {}),
  }),
  rule({
    name: "linear-part-bias",
    doc: "add(slice(linear(x, w)), bias) ⟶ linear(x, slice(w), bias)",
    match: op(
      "add",
      node("part", op("slice", shared(node("product", op("linear", any("x"), shared(weight("w"))))))),
      shared(weight("bias")),
    ),
    when: ({ product, part, bias, w }) =>
      product.operands.length === 2 &&
      part.attrs.axis === (part.results[0]?.type.dims.length ?? 0) - 1 &&
      bias.attrs.recipe.shape.length === 1 &&
      w.attrs.recipe.shape.length === 2,
    rewrite: ({ x, w, part: { attrs }, bias }, site) => {
      const own = slice(w.attrs.recipe, 0, Number(attrs.begin), Number(attrs.end));
      return site.make(
        "linear",
        [x, site.make("weight", [], { recipe: own }, w.origin), ...bias.results],
        {},
      );
    },
  }),
]);
