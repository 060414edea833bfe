/** Mixtures of few experts, of which a token takes one or all: plans for devices against those of the CPU. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { emit, lowerModel, write, type CompileOptions } from "../../src/driver/compile.ts";
import { planQuantization, schemeFrom } from "../../src/driver/quantize.ts";
import { profileOf } from "../../src/driver/target.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { openSession } from "../../src/runtime/session.ts";
import { interpretModel } from "../support/interpret-model.ts";
import { writeRandomCheckpoint } from "../support/random-checkpoint.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const ids = [3, 15, 15, 13, 0, 7];

const config = (experts: number, taken: number) => ({
  model_type: "deepseek_v3",
  hidden_size: 64,
  intermediate_size: 47,
  num_hidden_layers: 2,
  vocab_size: 18,
  rms_norm_eps: 1e-6,
  max_position_embeddings: 64,
  rope_theta: 10000,
  num_attention_heads: 3,
  num_key_value_heads: 3,
  q_lora_rank: null,
  kv_lora_rank: 38,
  qk_nope_head_dim: 10,
  qk_rope_head_dim: 4,
  v_head_dim: 12,
  n_routed_experts: experts,
  num_experts_per_tok: taken,
  n_shared_experts: 1,
  moe_intermediate_size: 20,
  first_k_dense_replace: 0,
  norm_topk_prob: true,
  n_group: 1,
  topk_group: 1,
  scoring_func: "sigmoid",
  topk_method: "noaux_tc",
  routed_scaling_factor: 1.5,
});

function checkpoint(experts: number, taken: number): string {
  const dir = join(folder, `${experts}-${taken}`);
  writeRandomCheckpoint(dir, config(experts, taken), 7);
  return dir;
}

async function logitsOf(model: string, name: string, options: CompileOptions): Promise<readonly number[]> {
  const dir = join(model, name);
  await write(dir, emit(lowerModel(model, options), { context: 16, batchTokens: 8, ...options }));
  const session = openSession(readPlan(dir), 1);
  const logits: number[] = [];
  await session.feed(ids, "prefill", (row) => void logits.push(...row));
  await session.close();
  return logits;
}

const quantized = (name: string): CompileOptions => {
  const scheme = schemeFrom(name);
  return scheme ? { quantization: planQuantization(scheme, "nearest") } : {};
};
const on = (machine: string): CompileOptions => ({
  device: { profile: profileOf(machine), tiles: new Map(), trials: 1, verified: new Set() },
});
const farthest = (a: readonly number[], b: ArrayLike<number>): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? NaN))), 0);

test.each([
  [1, 1],
  [4, 1],
  [3, 3],
])("of %i experts a token takes %i", async (experts, taken) => {
  const model = checkpoint(experts, taken);
  const plain = await logitsOf(model, "cpu", {});
  const interpreted = interpretModel(model);
  expect(farthest(plain, interpreted.prefill(interpreted.module, ids))).toBeLessThan(1e-4);
  const rounded = await logitsOf(model, "cpu-w8a8", quantized("w8a8"));
  // Codes of eight bits are off by a share of what they stand for, not by the whole of it.
  expect(farthest(rounded, plain)).toBeLessThan(0.5);
  for (const machine of ["ascend-910b3", "biren-br100"]) {
    expect(await logitsOf(model, `${machine}-w8a8`, { ...quantized("w8a8"), ...on(machine) })).toEqual(
      rounded,
    );
    expect(farthest(await logitsOf(model, machine, on(machine)), plain)).toBeLessThan(0.5);
  }
});
