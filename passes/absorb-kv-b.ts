import { any, node, op, weight } from "../src/pass/pattern.ts";
import { rule, rulePass } from "../src/pass/rewrite.ts";
import { slice, transpose } from "../src/tensor/recipe.ts";

/**
 * In decode each cached row would have to be expanded for every new token. Instead the key matrix is applied to
 * the query and the value matrix to the result, so that attention runs over the latent rows themselves with one
 * key head (DeepSeek-V2, section 2.1.2: "absorb W_UK into W_Q").
 */
export const absorbKvB = rulePass(
  "absorb-kv-b",
  "latentAttention ⟶ attention over the latent cache, kv_b applied to query and result",
  [
    rule({
      name: "absorb",
      doc: "latentAttention(qNope, qRope, cache, w) ⟶ w_v · attention([w_k^T · qNope, qRope], cache, cache's latent part)",
      match: node("root", op("latentAttention", any("qNope"), any("qRope"), any("cache"), weight("w"))),
      when: ({ qRope, cache }) => qRope.type.dtype === "f32" && cache.type.dtype === "f32",
      rewrite: ({ root, qNope, qRope, cache, w }, site) => {
        const { recipe } = w.attrs;
        const [, rows = 0, latent = 0] = recipe.shape;
        const nope = Number(qNope.type.dims[2]);
        const [t = 0, width = 0] = cache.type.dims;
        const keys = site.make("weight", [], { recipe: transpose(slice(recipe, 1, 0, nope)) });
        const values = site.make("weight", [], { recipe: slice(recipe, 1, nope, rows) });
        const qLatent = site.make("headLinear", [qNope, keys], {});
        const q = site.make("concat", [qLatent, qRope], { axis: 2 });
        const k = site.make("reshape", [cache], { dims: [t, 1, width] });
        const latents = site.make("slice", [cache], { axis: 1, begin: 0, end: latent });
        const v = site.make("reshape", [latents], { dims: [t, 1, latent] });
        const attended = site.make("attention", [q, k, v], { scale: root.attrs.scale });
        return site.make("headLinear", [attended, values], {});
      },
    }),
  ],
  { scope: "decode", tolerance: 1e-4 },
);
