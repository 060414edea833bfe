/** Checkpoints of shapes nobody chose: the engine against the interpreter. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "../../src/driver/compile.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { openSession } from "../../src/runtime/session.ts";
import { createRandom, type Random } from "../../src/support/random.ts";
import { interpretModel } from "../support/interpret-model.ts";
import { writeRandomCheckpoint, type RawConfig } from "../support/random-checkpoint.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();

/** Sizes drawn anew for each case; odd ones as often as even ones. */
const draw = (random: Random) => {
  const between = (low: number, high: number): number => low + random.below(high - low + 1);
  return {
    between,
    even: (low: number, high: number) => 2 * between(low, high),
    flip: () => random.below(2) === 1,
  };
};
type Draw = ReturnType<typeof draw>;

const common = ({ between }: Draw): RawConfig => ({
  hidden_size: between(5, 70),
  intermediate_size: between(3, 60),
  num_hidden_layers: between(1, 3),
  vocab_size: between(17, 90),
  rms_norm_eps: 1e-6,
  hidden_act: "silu",
  max_position_embeddings: 64,
  rope_theta: 10000,
  bos_token_id: 0,
  eos_token_id: 1,
});

const mixture = (d: Draw, groups: number): RawConfig => ({
  n_routed_experts: groups * d.between(2, 4),
  num_experts_per_tok: d.between(1, 2),
  n_shared_experts: d.between(1, 2),
  moe_intermediate_size: d.between(3, 40),
  first_k_dense_replace: d.between(0, 1),
  moe_layer_freq: 1,
  norm_topk_prob: d.flip(),
  n_group: groups,
  topk_group: d.between(1, groups),
});

const latent = (d: Draw): RawConfig => {
  const heads = d.between(1, 5);
  return {
    num_attention_heads: heads,
    num_key_value_heads: heads,
    q_lora_rank: d.flip() ? d.between(3, 30) : null,
    kv_lora_rank: d.between(3, 40),
    qk_nope_head_dim: d.between(1, 20),
    qk_rope_head_dim: d.even(1, 6),
    v_head_dim: d.between(1, 20),
  };
};

const grouped = (d: Draw): RawConfig => {
  const kv = d.between(1, 3);
  const heads = kv * d.between(1, 3);
  return { num_attention_heads: heads, num_key_value_heads: kv, head_dim: d.even(1, 10) };
};

const families: Readonly<Record<string, (d: Draw) => RawConfig>> = {
  deepseek: (d) => {
    const { head_dim: size, ...attention } = grouped(d);
    const hidden = Number(attention["num_attention_heads"]) * Number(size);
    return { ...common(d), ...mixture(d, 1), ...attention, hidden_size: hidden, scoring_func: "softmax" };
  },
  deepseek_v2: (d) => {
    const groups = d.between(1, 3);
    const method = groups > 1 ? "group_limited_greedy" : "greedy";
    return {
      ...common(d),
      ...mixture(d, groups),
      ...latent(d),
      norm_topk_prob: false,
      topk_method: method,
      scoring_func: "softmax",
      routed_scaling_factor: 1.5,
    };
  },
  deepseek_v3: (d) => ({
    ...common(d),
    ...mixture(d, d.between(1, 3)),
    ...latent(d),
    topk_method: "noaux_tc",
    scoring_func: "sigmoid",
    routed_scaling_factor: 2.5,
  }),
  qwen2: (d) => {
    const { head_dim: size, ...attention } = grouped(d);
    return {
      ...common(d),
      ...attention,
      hidden_size: Number(attention["num_attention_heads"]) * Number(size),
    };
  },
  qwen3: (d) => ({ ...common(d), ...grouped(d), tie_word_embeddings: d.flip() }),
  llama: (d) => ({ ...common(d), ...grouped(d), tie_word_embeddings: d.flip() }),
};

const cases = Object.keys(families).flatMap((family) => [1, 2, 3, 4].map((seed) => ({ family, seed })));

test.each(cases)("$family of random shape, seed $seed", async ({ family, seed }) => {
  const random = createRandom(seed * 7919 + family.length);
  const config = { model_type: family, ...families[family]?.(draw(random)) };
  const dir = join(folder, `${family}-${seed}`);
  writeRandomCheckpoint(dir, config, seed);
  await compile(dir, join(dir, "plan"), { batchTokens: 3 });
  const vocab = Number((config as RawConfig)["vocab_size"]);
  const ids = Array.from({ length: 8 }, () => random.below(vocab));
  const model = interpretModel(dir);
  const expected = model.prefill(model.module, ids);
  const session = openSession(readPlan(join(dir, "plan")), 1 + (seed % 2));
  try {
    for (const by of ["prefill", "decode"] as const) {
      session.restart();
      await session.feed(ids, by, (logits, position) =>
        logits.forEach((x, i) => {
          const want = expected[position * vocab + i] ?? NaN;
          expect(
            Math.abs(x - want),
            `${by}, position ${position}, token ${i}, config ${JSON.stringify(config)}`,
          ).toBeLessThan(1e-4);
        }),
      );
    }
  } finally {
    await session.close();
  }
});
