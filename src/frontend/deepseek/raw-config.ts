import * as v from "valibot";
import { fail } from "../../support/diagnostics.ts";

const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const maybe = <T extends v.GenericSchema>(schema: T) => v.nullish(schema);

/** Rotary settings, in the hub's spelling (`rope_scaling`, `type`) and transformers 5's (`rope_parameters`, `rope_type`). */
const rotary = v.looseObject({
  type: maybe(v.string()),
  rope_type: maybe(v.string()),
  rope_theta: maybe(v.number()),
  factor: maybe(v.number()),
  beta_fast: maybe(v.number()),
  beta_slow: maybe(v.number()),
  mscale: maybe(v.number()),
  mscale_all_dim: maybe(v.number()),
  attention_factor: maybe(v.number()),
  truncate: maybe(v.boolean()),
  original_max_position_embeddings: maybe(v.number()),
  low_freq_factor: maybe(v.number()),
  high_freq_factor: maybe(v.number()),
  partial_rotary_factor: maybe(v.number()),
});

const schema = v.looseObject({
  model_type: v.string(),
  architectures: maybe(v.array(v.string())),
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: maybe(count),
  head_dim: maybe(count),
  hidden_act: maybe(v.string()),
  rms_norm_eps: maybe(v.number()),
  max_position_embeddings: maybe(count),
  tie_word_embeddings: maybe(v.boolean()),
  attention_bias: maybe(v.boolean()),
  mlp_bias: maybe(v.boolean()),
  use_sliding_window: maybe(v.boolean()),
  rope_theta: maybe(v.number()),
  rope_scaling: maybe(rotary),
  rope_parameters: maybe(rotary),
  rope_interleave: maybe(v.boolean()),
  q_lora_rank: maybe(whole),
  kv_lora_rank: maybe(count),
  qk_nope_head_dim: maybe(count),
  qk_rope_head_dim: maybe(count),
  v_head_dim: maybe(count),
  n_routed_experts: maybe(whole),
  n_shared_experts: maybe(whole),
  num_experts_per_tok: maybe(count),
  moe_intermediate_size: maybe(count),
  first_k_dense_replace: maybe(whole),
  moe_layer_freq: maybe(count),
  mlp_layer_types: maybe(v.array(v.string())),
  n_group: maybe(whole),
  topk_group: maybe(whole),
  topk_method: maybe(v.string()),
  scoring_func: maybe(v.string()),
  norm_topk_prob: maybe(v.boolean()),
  routed_scaling_factor: maybe(v.number()),
  num_nextn_predict_layers: maybe(whole),
  bos_token_id: maybe(whole),
  eos_token_id: maybe(v.union([whole, v.array(whole)])),
  quantization_config: maybe(
    v.looseObject({
      quant_method: v.string(),
      fmt: maybe(v.string()),
      weight_block_size: maybe(v.tuple([count, count])),
    }),
  ),
});

export type RawConfig = v.InferOutput<typeof schema>;
export type RawRotary = v.InferOutput<typeof rotary>;

/** Check the shape of a config.json. Throws `checkpoint/config` at the first field that is not of its kind. */
export function parseRawConfig(text: string, file: string): RawConfig {
  const bad = (why: string, pointer: string): never =>
    fail("checkpoint/config", { kind: "json", file, pointer }, why);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return bad(`config.json is not valid JSON: ${String(error)}`, "");
  }
  const parsed = v.safeParse(schema, json);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  return bad(issue.message, `/${(issue.path ?? []).map((p) => String(p.key)).join("/")}`);
}
