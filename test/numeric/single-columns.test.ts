/** Models whose rows, in one place or another, are of a single column: plans for devices against those of the CPU. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { emit, lowerModel, write, type CompileOptions } from "../../src/driver/compile.ts";
import { planQuantization, schemeFrom } from "../../src/driver/quantize.ts";
import { profileOf } from "../../src/driver/target.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { openSession } from "../../src/runtime/session.ts";
import { root } from "../support/moec.ts";
import { writeRandomCheckpoint, type RawConfig } from "../support/random-checkpoint.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();

/** A checkpoint like one of the fixtures', with some sizes changed. */
function checkpoint(name: string, like: string, sizes: RawConfig): string {
  const config = JSON.parse(readFileSync(join(root, like, "config.json"), "utf8")) as RawConfig; // an object
  const dir = join(folder, name);
  writeRandomCheckpoint(dir, { ...config, ...sizes }, 3);
  return dir;
}

async function logitsOf(model: string, name: string, options: CompileOptions): Promise<readonly number[]> {
  const scheme = schemeFrom("w8a8");
  const settings = { context: 16, batchTokens: 8, ...(scheme && { quantization: planQuantization(scheme, "nearest") }), ...options }; // prettier-ignore
  const dir = join(model, name);
  await write(dir, emit(lowerModel(model, settings), settings));
  const session = openSession(readPlan(dir), 1);
  const logits: number[] = [];
  await session.feed([3, 15, 15, 13, 0, 7], "prefill", (row) => void logits.push(...row));
  await session.close();
  return logits;
}

test.each([
  ["hidden", "fixtures/tiny/v2", { hidden_size: 1 }],
  ["hidden-qwen3", "fixtures/variants/qwen3-bias", { hidden_size: 1 }],
  ["inner", "fixtures/tiny/v3", { intermediate_size: 1, moe_intermediate_size: 1 }],
  ["latent", "fixtures/tiny/v3", { q_lora_rank: 1, kv_lora_rank: 1 }],
  ["heads", "fixtures/tiny/v2", { qk_nope_head_dim: 1, v_head_dim: 1 }],
])("%s: those of %s with %o", async (name, like, sizes) => {
  const model = checkpoint(name, like, sizes);
  const expected = await logitsOf(model, "cpu", {});
  expect(expected.every(Number.isFinite)).toBe(true);
  for (const machine of ["ascend-910b3", "biren-br100"]) {
    const device = { profile: profileOf(machine), tiles: new Map(), trials: 1, verified: new Set<string>() };
    expect(await logitsOf(model, machine, { device })).toEqual(expected);
  }
});
