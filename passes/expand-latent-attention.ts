import type { Value } from "../src/ir/graph.ts";
import { isOp } from "../src/ir/graph.ts";
import type { Site } from "../src/pass/edit.ts";
import { any, node, op } from "../src/pass/pattern.ts";
import { rule, rulePass } from "../src/pass/rewrite.ts";
import { reshape } from "../src/tensor/recipe.ts";

/** The kv_b matrix [heads, rows, latent] as one matrix [heads * rows, latent]. */
function flatMatrix(site: Site, w: Value): Value {
  const [heads, rows, latent] = w.type.dims.map(Number);
  const dims = [(heads ?? 0) * (rows ?? 0), latent ?? 0];
  const maker = site.definition(w);
  return isOp(maker, "weight")
    ? site.make("weight", [], { recipe: reshape(maker.attrs.recipe, dims) })
    : site.make("reshape", [w], { dims });
}

/**
 * In prefill each cached row serves many queries, so it pays to expand keys and values once and to attend with
 * the narrow heads.
 */
export const expandLatentAttention = rulePass(
  "expand-latent-attention",
  "latentAttention ⟶ attention over keys and values made from the cache",
  [
    rule({
      name: "expand",
      doc: "latentAttention(qNope, qRope, cache, w) ⟶ attention([qNope, qRope], [keys(cache), rotary part], values(cache))",
      match: node("root", op("latentAttention", any("qNope"), any("qRope"), any("cache"), any("w"))),
      when: ({ qNope, qRope, cache }) => [qNope, qRope, cache].every((v) => v.type.dtype === "f32"),
      rewrite: ({ root, qNope, qRope, cache, w }, site) => {
        const [heads = 0, rows = 0, latent = 0] = w.type.dims.map(Number);
        const nope = Number(qNope.type.dims[2]);
        const rope = Number(qRope.type.dims[2]);
        const t = cache.type.dims[0] ?? 0;
        const latents = site.make("slice", [cache], { axis: 1, begin: 0, end: latent });
        const flat = site.make("linear", [latents, flatMatrix(site, w)], {});
        const kv = site.make("reshape", [flat], { dims: [t, heads, rows] });
        const kNope = site.make("slice", [kv], { axis: 2, begin: 0, end: nope });
        const v = site.make("slice", [kv], { axis: 2, begin: nope, end: rows });
        const tail = site.make("slice", [cache], { axis: 1, begin: latent, end: latent + rope });
        const shared = site.make("reshape", [tail], { dims: [t, 1, rope] });
        const kRope = site.make("broadcast", [shared], { dims: [t, heads, rope] });
        const k = site.make("concat", [kNope, kRope], { axis: 2 });
        const q = site.make("concat", [qNope, qRope], { axis: 2 });
        return site.make("attention", [q, k, v], { scale: root.attrs.scale });
      },
    }),
  ],
  { scope: "prefill", tolerance: 1e-4 },
);
