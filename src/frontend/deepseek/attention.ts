import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/graph.ts";
import type { Dim } from "../../ir/dim.ts";
import { tensor } from "../../ir/types.ts";
import { reshape } from "../../tensor/recipe.ts";
import type { GroupedAttention, LatentAttention, ModelConfig } from "./config.ts";
import type { LayerScope } from "./layer-scope.ts";

/** DeepSeek's code and transformers give the norms inside latent attention this eps, whatever rms_norm_eps says. */
const innerNormEps = 1e-6;

/** The values every layer reads. */
export type Shared = {
  readonly positions: Value;
  readonly invFreq: Value;
  readonly tokens: Dim;
  readonly past: Dim;
};

const rotate = (b: Builder, c: ModelConfig, s: Shared, x: Value, origin: readonly string[]): Value =>
  b.op("rope", [x, s.positions, s.invFreq], { pairs: c.pairs, scale: c.rotary.cosScale }, origin);

/** A projection, with its bias where the config says there is one. */
function project(
  l: LayerScope,
  x: Value,
  name: string,
  rows: number,
  cols: number,
  bias: boolean,
  why: string,
): Value {
  const w = l.weight(`${name}.weight`, [rows, cols], why);
  return l.b.op(
    "linear",
    bias ? [x, w, l.weight(`${name}.bias`, [rows], `${name} has a bias in this config`)] : [x, w],
    {},
    [l.name(name)],
  );
}

/** Grouped-query attention; the caches hold rotated keys and values, [positions, groups, width]. */
export function groupedAttention(
  l: LayerScope,
  c: ModelConfig,
  a: GroupedAttention,
  s: Shared,
  x: Value,
): Value {
  const { b } = l;
  const inputs = (name: string, heads: number, what: string): Value => {
    const flat = project(
      l,
      x,
      `self_attn.${name}`,
      heads * a.headDim,
      c.hidden,
      a.inputBias,
      `${heads} ${what} of ${a.headDim}`,
    );
    return b.op("reshape", [flat], { dims: [s.tokens, heads, a.headDim] }, [l.name(`self_attn.${name}`)]);
  };
  const normed = (v: Value, name: string): Value => {
    if (!a.headNorm) return v;
    const gain = l.weight(`self_attn.${name}.weight`, [a.headDim], "a norm over each head");
    return b.op("rmsNorm", [v, gain], { eps: c.eps }, [l.name(`self_attn.${name}`)]);
  };
  const q = rotate(b, c, s, normed(inputs("q_proj", c.heads, "heads"), "q_norm"), [l.name("self_attn")]);
  const k = rotate(b, c, s, normed(inputs("k_proj", a.kvHeads, "key groups"), "k_norm"), [
    l.name("self_attn"),
  ]);
  const v = inputs("v_proj", a.kvHeads, "value groups");
  const append = (kind: string, rows: Value): Value => {
    const cache = b.param(`${kind}.${l.index}`, tensor("f32", s.past, a.kvHeads, a.headDim));
    const grown = b.op("cacheAppend", [cache, rows], {}, [l.name("self_attn")]);
    b.result(`${kind}.${l.index}`, grown);
    return grown;
  };
  const out = b.op("attention", [q, append("keys", k), append("values", v)], { scale: a.headDim ** -0.5 }, [
    l.name("self_attn"),
  ]);
  const flat = b.op("reshape", [out], { dims: [s.tokens, c.heads * a.headDim] }, [l.name("self_attn")]);
  return project(
    l,
    flat,
    "self_attn.o_proj",
    c.hidden,
    c.heads * a.headDim,
    a.outputBias,
    "heads back to the residual",
  );
}

/** Multi-head latent attention; the cache holds the normed latent and the rotated shared key, [positions, latent + rope]. */
export function latentAttention(
  l: LayerScope,
  c: ModelConfig,
  a: LatentAttention,
  s: Shared,
  x: Value,
): Value {
  const { b } = l;
  const origin = [l.name("self_attn")];
  const dim = a.nope + a.rope;
  const q = b.op("reshape", [latentQueries(l, c, a, x)], { dims: [s.tokens, c.heads, dim] }, origin);
  const qNope = b.op("slice", [q], { axis: 2, begin: 0, end: a.nope }, origin);
  const qRope = rotate(b, c, s, b.op("slice", [q], { axis: 2, begin: a.nope, end: dim }, origin), origin);

  const width = a.kvRank + a.rope;
  const kv = project(
    l,
    x,
    "self_attn.kv_a_proj_with_mqa",
    width,
    c.hidden,
    a.bias,
    `latent ${a.kvRank} and rotary key ${a.rope}`,
  );
  const gain = l.weight("self_attn.kv_a_layernorm.weight", [a.kvRank], "the norm of the latent");
  const latent = b.op(
    "rmsNorm",
    [b.op("slice", [kv], { axis: 1, begin: 0, end: a.kvRank }, origin), gain],
    { eps: innerNormEps },
    [l.name("self_attn.kv_a_layernorm")],
  );
  const key = b.op("slice", [kv], { axis: 1, begin: a.kvRank, end: width }, origin);
  const oneHead = b.op("reshape", [key], { dims: [s.tokens, 1, a.rope] }, origin);
  const keyRope = b.op("reshape", [rotate(b, c, s, oneHead, origin)], { dims: [s.tokens, a.rope] }, origin);
  const rows = b.op("concat", [latent, keyRope], { axis: 1 }, origin);
  const cache = b.param(`latent.${l.index}`, tensor("f32", s.past, width));
  const grown = b.op("cacheAppend", [cache, rows], {}, origin);
  b.result(`latent.${l.index}`, grown);

  const perHead = a.nope + a.value;
  const kvB = l.recipe(
    "self_attn.kv_b_proj.weight",
    [c.heads * perHead, a.kvRank],
    `${c.heads} heads of ${a.nope} key and ${a.value} value rows`,
  );
  const w = l.constant(reshape(kvB, [c.heads, perHead, a.kvRank]), "self_attn.kv_b_proj.weight");
  const out = b.op(
    "latentAttention",
    [qNope, qRope, grown, w],
    { scale: dim ** -0.5 * c.rotary.scoreScale },
    origin,
  );
  const flat = b.op("reshape", [out], { dims: [s.tokens, c.heads * a.value] }, origin);
  return project(
    l,
    flat,
    "self_attn.o_proj",
    c.hidden,
    c.heads * a.value,
    a.bias,
    "heads back to the residual",
  );
}

/** Queries straight from the residual, or through a low-rank bottleneck with a norm. */
function latentQueries(l: LayerScope, c: ModelConfig, a: LatentAttention, x: Value): Value {
  const rows = c.heads * (a.nope + a.rope);
  const why = `${c.heads} heads of ${a.nope} plain and ${a.rope} rotary elements`;
  if (a.qRank === 0) return project(l, x, "self_attn.q_proj", rows, c.hidden, false, why);
  const low = project(l, x, "self_attn.q_a_proj", a.qRank, c.hidden, a.bias, `q_lora_rank is ${a.qRank}`);
  const gain = l.weight("self_attn.q_a_layernorm.weight", [a.qRank], "the norm of the query bottleneck");
  const normed = l.b.op("rmsNorm", [low, gain], { eps: innerNormEps }, [l.name("self_attn.q_a_layernorm")]);
  return project(l, normed, "self_attn.q_b_proj", rows, a.qRank, false, why);
}
