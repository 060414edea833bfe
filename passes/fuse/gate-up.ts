import type { Value } from "../../src/ir/graph.ts";
import type { Site } from "../../src/pass/edit.ts";
import { any, node, op, weight } from "../../src/pass/pattern.ts";
import { rule, rulePass } from "../../src/pass/rewrite.ts";
import { concat, type Recipe } from "../../src/tensor/recipe.ts";

const stacked = (site: Site, gate: Recipe, up: Recipe): Value =>
  site.make("weight", [], { recipe: concat([gate, up]) });

/** One matrix product for both halves of a gated layer: x is read once, and the engine sees one larger weight. */
export const fuseGateUp = rulePass(
  "fuse-gate-up",
  "swiglu(linear(x, g), linear(x, u)) ⟶ swigluPacked(linear(x, [g; u]))",
  [
    rule({
      name: "gate-up",
      doc: "swiglu(linear(x, g), linear(x, u)) ⟶ swigluPacked(linear(x, [g; u]))",
      match: op("swiglu", op("linear", any("x"), weight("g")), op("linear", any("x"), weight("u"))),
      when: ({ g, u }) => g.attrs.recipe.dtype === u.attrs.recipe.dtype,
      rewrite: ({ x, g, u }, site) =>
        site.make(
          "swigluPacked",
          [site.make("linear", [x, stacked(site, g.attrs.recipe, u.attrs.recipe)], {})],
          {},
        ),
    }),
    rule({
      name: "gate-up-bias",
      doc: "swiglu(linear(x, g, bg), linear(x, u, bu)) ⟶ swigluPacked(linear(x, [g; u], [bg; bu]))",
      match: op(
        "swiglu",
        op("linear", any("x"), weight("g"), weight("bg")),
        op("linear", any("x"), weight("u"), weight("bu")),
      ),
      when: ({ g, u, bg, bu }) =>
        g.attrs.recipe.dtype === u.attrs.recipe.dtype && bg.attrs.recipe.dtype === bu.attrs.recipe.dtype,
      rewrite: ({ x, g, u, bg, bu }, site) => {
        const w = stacked(site, g.attrs.recipe, u.attrs.recipe);
        const bias = stacked(site, bg.attrs.recipe, bu.attrs.recipe);
        return site.make("swigluPacked", [site.make("linear", [x, w, bias], {})], {});
      },
    }),
    rule({
      name: "halves",
      doc: "swiglu(first half of x, second half of x) ⟶ swigluPacked(x)",
      match: op("swiglu", node("gate", op("slice", any("x"))), node("up", op("slice", any("x")))),
      when: ({ x, gate: { attrs: gate }, up: { attrs: up } }) => {
        const last = x.type.dims.length - 1;
        const apart = gate.begin === 0 && gate.end === up.begin && up.end === x.type.dims[last];
        return gate.axis === last && up.axis === last && apart;
      },
      rewrite: ({ x }, site) => site.make("swigluPacked", [x], {}),
    }),
  ],
);
