import { buildFunc } from "../../ir/builder.ts";
import type { Func, Module } from "../../ir/graph.ts";
import type { Dim } from "../../ir/dim.ts";
import { tensor } from "../../ir/types.ts";
import { groupedAttention, latentAttention, type Shared } from "./attention.ts";
import type { ModelConfig } from "./config.ts";
import { feedForward } from "./feed-forward.ts";
import { layerScope } from "./layer-scope.ts";
import { tensorDesk, type TensorDesk, type TensorInfo } from "./tensors.ts";

/** The phases of inference and how many new tokens a call of each brings. */
export const phases = { prefill: "S", decode: 1 } as const satisfies Record<string, Dim>;
export type Phase = keyof typeof phases;

export type ImportedModel = {
  readonly module: Module;
  /** Tensors of the multi-token-prediction layers, which the decoder leaves aside. */
  readonly predictionTensors: readonly string[];
  /** Tensors that are known to carry nothing (old rotary buffers, the copy of a tied head). */
  readonly ignoredTensors: readonly string[];
};

/**
 * A checkpoint of any supported family as IR: one function a phase, caches as parameters and results.
 * Throws every missing, surplus and misshapen tensor together.
 */
export function importModel(config: ModelConfig, tensors: ReadonlyMap<string, TensorInfo>): ImportedModel {
  const desk = tensorDesk(tensors, config.fp8Block);
  const funcs = Object.entries(phases).map(([name, dim]) => importPhase(name, dim, config, desk));
  const predictionTensors = desk.leave((name) => isPrediction(name, config, tensors));
  const ignoredTensors = desk.leave(
    (name) => name.endsWith(".rotary_emb.inv_freq") || (config.tied && name === "lm_head.weight"),
  );
  desk.settle();
  return { module: { funcs }, predictionTensors, ignoredTensors };
}

/** A layer past the last decoder layer predicts further tokens if the config counts it or it has such a layer's own projection. */
function isPrediction(name: string, c: ModelConfig, tensors: ReadonlyMap<string, TensorInfo>): boolean {
  const layer = Number(/^model\.layers\.(\d+)\./.exec(name)?.[1] ?? -1);
  if (layer < c.layers) return false;
  return layer < c.layers + c.predictionLayers || tensors.has(`model.layers.${layer}.eh_proj.weight`);
}

function importPhase(name: string, tokens: Dim, c: ModelConfig, desk: TensorDesk): Func {
  const b = buildFunc(name);
  const ids = b.param("ids", tensor("i32", tokens));
  const positions = b.param("positions", tensor("i32", tokens));
  const table = desk.take(
    "model.embed_tokens.weight",
    [c.vocab, c.hidden],
    `${c.vocab} tokens of width ${c.hidden}`,
  );
  const embeddings = b.op("weight", [], { recipe: table }, ["model.embed_tokens"]);
  const { invFreq: frequencies } = c.rotary;
  const invFreq = b.op(
    "constant",
    [],
    { dtype: "f32", dims: [frequencies.length], values: frequencies.map(Math.fround) },
    ["rotary"],
  );
  const shared: Shared = { positions, invFreq, tokens, past: "P" };
  let x = b.op("gather", [embeddings, ids], {}, ["model.embed_tokens"]);
  for (let i = 0; i < c.layers; i++) {
    const l = layerScope(b, desk, i);
    const norm = (input: typeof x, local: string) =>
      b.op(
        "rmsNorm",
        [input, l.weight(`${local}.weight`, [c.hidden], "a norm over the residual")],
        { eps: c.eps },
        [l.name(local)],
      );
    const attend = norm(x, "input_layernorm");
    const attended =
      c.attention.kind === "latent"
        ? latentAttention(l, c, c.attention, shared, attend)
        : groupedAttention(l, c, c.attention, shared, attend);
    x = b.op("add", [x, attended], {}, [l.name("self_attn")]);
    x = b.op("add", [x, feedForward(l, c, norm(x, "post_attention_layernorm"))], {}, [l.name("mlp")]);
  }
  const gain = b.op("weight", [], { recipe: desk.take("model.norm.weight", [c.hidden], "the last norm") }, [
    "model.norm",
  ]);
  const last = b.op("rmsNorm", [x, gain], { eps: c.eps }, ["model.norm"]);
  const head = c.tied
    ? table
    : desk.take("lm_head.weight", [c.vocab, c.hidden], `${c.vocab} tokens of width ${c.hidden}`);
  b.result(
    "logits",
    b.op("linear", [last, b.op("weight", [], { recipe: head }, ["lm_head"])], {}, ["lm_head"]),
  );
  return b.finish();
}
