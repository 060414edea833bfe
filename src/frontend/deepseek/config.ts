import { fail } from "../../support/diagnostics.ts";
import { parseRawConfig, type RawConfig } from "./raw-config.ts";
import { rotaryOf, type Rotary } from "./rotary.ts";

export const families = ["deepseek", "deepseek_v2", "deepseek_v3", "qwen2", "qwen3", "llama"] as const;
export type Family = (typeof families)[number];

/** Plain attention with grouped keys and values. */
export type GroupedAttention = {
  readonly kind: "grouped";
  readonly kvHeads: number;
  readonly headDim: number;
  readonly inputBias: boolean;
  readonly outputBias: boolean;
  /** RMSNorm over each head's q and k before the rotation (Qwen3). */
  readonly headNorm: boolean;
};

/** Multi-head latent attention. */
export type LatentAttention = {
  readonly kind: "latent";
  /** 0: queries come straight from q_proj. */
  readonly qRank: number;
  readonly kvRank: number;
  readonly nope: number;
  readonly rope: number;
  readonly value: number;
  readonly bias: boolean;
};

export type Routing = {
  readonly topK: number;
  readonly scoring: "softmax" | "sigmoid";
  readonly groups: number;
  readonly topGroups: number;
  readonly groupScore: "max" | "top2";
  readonly normalize: boolean;
  readonly scale: number;
  /** e_score_correction_bias is present and takes part in the choice. */
  readonly bias: boolean;
};

export type Mixture = {
  readonly experts: number;
  readonly shared: number;
  readonly inner: number;
  readonly routing: Routing;
  readonly isSparse: readonly boolean[];
};

/** A config.json of any family and dialect, as the importer needs it. */
export type ModelConfig = {
  readonly family: Family;
  readonly vocab: number;
  readonly hidden: number;
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  readonly eps: number;
  readonly tied: boolean;
  readonly mlpBias: boolean;
  readonly attention: GroupedAttention | LatentAttention;
  readonly rotary: Rotary;
  readonly pairs: "interleaved" | "halves";
  readonly mixture?: Mixture;
  /** Multi-token-prediction layers after the last decoder layer. */
  readonly predictionLayers: number;
  readonly fp8Block?: readonly [number, number];
  readonly maxPositions: number;
  readonly bos?: number;
  readonly eos: readonly number[];
};

/** Read and normalize a config.json. Throws diagnostics that point into the file. */
export function parseConfig(text: string, file: string): ModelConfig {
  const raw = parseRawConfig(text, file);
  const family = families.find((f) => f === raw.model_type);
  if (!family)
    return fail(
      "checkpoint/unsupported-family",
      { kind: "json", file, pointer: "/model_type" },
      raw.model_type,
      families,
    );
  if ((raw.hidden_act ?? "silu") !== "silu")
    reject(file, "hidden_act", `activation "${raw.hidden_act}" is not supported`);
  if (raw.use_sliding_window) reject(file, "use_sliding_window", "sliding-window attention is not supported");
  const attention = raw.kv_lora_rank != null ? latent(raw, file) : grouped(raw, family, file);
  const mixture = raw.n_routed_experts ? mixtureOf(raw, family, file) : undefined;
  const fp8Block = fp8BlockOf(raw, file);
  return {
    family,
    vocab: raw.vocab_size,
    hidden: raw.hidden_size,
    inner: raw.intermediate_size,
    layers: raw.num_hidden_layers,
    heads: raw.num_attention_heads,
    eps: raw.rms_norm_eps ?? 1e-6,
    tied: raw.tie_word_embeddings ?? false,
    mlpBias: raw.mlp_bias ?? false,
    attention,
    rotary: rotaryOf(raw, attention.kind === "latent" ? attention.rope : attention.headDim, file),
    pairs: attention.kind === "latent" && raw.rope_interleave !== false ? "interleaved" : "halves",
    ...(mixture && { mixture }),
    predictionLayers: raw.num_nextn_predict_layers ?? 0,
    ...(fp8Block && { fp8Block }),
    maxPositions: raw.max_position_embeddings ?? 4096,
    ...(raw.bos_token_id != null && { bos: raw.bos_token_id }),
    eos: raw.eos_token_id == null ? [] : [raw.eos_token_id].flat(),
  };
}

const reject = (file: string, field: string, why: string): never =>
  fail("checkpoint/config", { kind: "json", file, pointer: `/${field}` }, why);

function need(raw: RawConfig, field: keyof RawConfig & string, file: string): number {
  const value = raw[field];
  return typeof value === "number"
    ? value
    : reject(file, field, `${field} is missing, ${raw.model_type} needs it`);
}

function latent(raw: RawConfig, file: string): LatentAttention {
  return {
    kind: "latent",
    qRank: raw.q_lora_rank ?? 0,
    kvRank: need(raw, "kv_lora_rank", file),
    nope: need(raw, "qk_nope_head_dim", file),
    rope: need(raw, "qk_rope_head_dim", file),
    value: need(raw, "v_head_dim", file),
    bias: raw.attention_bias ?? false,
  };
}

function grouped(raw: RawConfig, family: Family, file: string): GroupedAttention {
  const kvHeads = raw.num_key_value_heads ?? raw.num_attention_heads;
  if (raw.num_attention_heads % kvHeads)
    reject(file, "num_key_value_heads", `${raw.num_attention_heads} heads cannot share ${kvHeads} groups`);
  const headDim = raw.head_dim ?? raw.hidden_size / raw.num_attention_heads;
  if (!Number.isInteger(headDim))
    reject(
      file,
      "num_attention_heads",
      `${raw.hidden_size} does not divide into ${raw.num_attention_heads} heads`,
    );
  const bias = raw.attention_bias ?? false;
  return {
    kind: "grouped",
    kvHeads,
    headDim,
    inputBias: family === "qwen2" ? true : bias,
    outputBias: family === "qwen2" ? false : bias,
    headNorm: family === "qwen3",
  };
}

function mixtureOf(raw: RawConfig, family: Family, file: string): Mixture {
  const experts = need(raw, "n_routed_experts", file);
  const first = raw.first_k_dense_replace ?? 0;
  const every = raw.moe_layer_freq ?? 1;
  const isSparse = Array.from({ length: raw.num_hidden_layers }, (_, i) => {
    const type = raw.mlp_layer_types?.[i];
    return type === undefined ? i >= first && i % every === 0 : type === "sparse";
  });
  const routing = routingOf(raw, family, file);
  if (experts % routing.groups || routing.topK > (experts / routing.groups) * routing.topGroups)
    reject(
      file,
      "num_experts_per_tok",
      `cannot choose ${routing.topK} of ${experts} experts in ${routing.topGroups} of ${routing.groups} groups`,
    );
  return {
    experts,
    shared: raw.n_shared_experts ?? 0,
    inner: need(raw, "moe_intermediate_size", file),
    routing,
    isSparse,
  };
}

/**
 * How each generation chooses its experts. V1 and V2 take the best softmax scores (V2 within the groups whose best expert
 * is best); V3 takes the best sigmoid score plus bias within the groups whose two best are best, and weighs by score alone.
 */
function routingOf(raw: RawConfig, family: Family, file: string): Routing {
  const topK = need(raw, "num_experts_per_tok", file);
  const scale = raw.routed_scaling_factor ?? 1;
  const everyGroup = { groups: 1, topGroups: 1, groupScore: "max" } as const;
  if (family === "deepseek_v3") {
    expectMethod(raw, file, "noaux_tc", ["noaux_tc"], "sigmoid");
    const groups = raw.n_group || 1;
    const topGroups = raw.topk_group || 1;
    const normalize = raw.norm_topk_prob ?? true;
    return { topK, scoring: "sigmoid", groups, topGroups, groupScore: "top2", normalize, scale, bias: true };
  }
  const method = expectMethod(raw, file, "greedy", ["greedy", "group_limited_greedy"], "softmax");
  // transformers' deepseek_v2 never normalizes; DeepSeekMoE's own code does where the config asks for it.
  const normalize = family === "deepseek" && (raw.norm_topk_prob ?? false);
  const shared = { topK, scoring: "softmax", normalize, scale, bias: false } as const;
  if (method === "greedy") return { ...shared, ...everyGroup };
  return { ...shared, groups: raw.n_group || 1, topGroups: raw.topk_group || 1, groupScore: "max" };
}

function expectMethod(
  raw: RawConfig,
  file: string,
  byDefault: string,
  known: readonly string[],
  scoring: string,
): string {
  const method = raw.topk_method ?? byDefault;
  if (!known.includes(method))
    reject(file, "topk_method", `"${method}" is not known for ${raw.model_type}; known: ${known.join(", ")}`);
  const found = raw.scoring_func ?? scoring;
  if (found !== scoring)
    reject(file, "scoring_func", `"${found}" is not known for ${raw.model_type}; known: ${scoring}`);
  return method;
}

function fp8BlockOf(raw: RawConfig, file: string): readonly [number, number] | undefined {
  const q = raw.quantization_config;
  if (!q) return undefined;
  if (q.quant_method !== "fp8" || (q.fmt ?? "e4m3") !== "e4m3")
    reject(
      file,
      "quantization_config",
      `quantization "${q.quant_method}" is not supported; known: fp8 in e4m3`,
    );
  return q.weight_block_size ?? [128, 128];
}
