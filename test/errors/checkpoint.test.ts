/** Checkpoints that are not what their config says: each fault named, with what was expected and why. */
import { cpSync, mkdirSync, writeFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openModel } from "../../src/driver/model.ts";
import { readHeader } from "../../src/frontend/safetensors/header.ts";
import { openCheckpoint } from "../../src/frontend/safetensors/checkpoint.ts";
import { CompileError, type Diagnostic } from "../../src/support/diagnostics.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { writeSafetensors } from "../../src/tensor/safetensors-file.ts";
import { readRegion } from "../../src/tensor/source.ts";
import { root } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
type Tensor = { readonly dtype: DType; readonly shape: readonly number[]; readonly data: Uint8Array };
let copies = 0;

/** A copy of a bundled checkpoint in one file, its tensors and its config changed. */
function changed(
  name: string,
  change: (tensors: Map<string, Tensor>) => void,
  config: (text: string) => string = (text) => text,
): string {
  const from = join(root, "fixtures/tiny", name);
  const dir = join(folder, `${name}-${copies++}`);
  mkdirSync(dir);
  const tensors = new Map(
    [...openCheckpoint(from).tensors].map(([tensor, { dtype, shape, region }]) => [
      tensor,
      { dtype, shape, data: readRegion(region) },
    ]),
  );
  change(tensors);
  writeSafetensors(
    join(dir, "model.safetensors"),
    [...tensors].map(([tensor, it]) => ({ name: tensor, ...it })),
  );
  writeFileSync(join(dir, "config.json"), config(readFileSync(join(from, "config.json"), "utf8")));
  return dir;
}

function faults(dir: string): readonly Diagnostic[] {
  try {
    openModel(dir);
    return [];
  } catch (error) {
    if (error instanceof CompileError) return error.diagnostics;
    throw error;
  }
}
const words = (dir: string): readonly string[] => faults(dir).map((d) => `${d.code}: ${d.message}`);

const norm = "model.layers.1.input_layernorm.weight";
const down = "model.layers.2.mlp.experts.3.down_proj.weight";

describe("a tensor", () => {
  test("that is missing is named, with its shape and what it is for", () => {
    const dir = changed("v3", (tensors) => void tensors.delete(down));
    expect(words(dir)).toEqual([
      expect.stringMatching(
        /^checkpoint\/missing-tensor: missing tensor "model\.layers\.2\.mlp\.experts\.3\.down_proj\.weight", expected \[96, 40\]: .+/,
      ),
    ]);
  });
  test("that is surplus is named, with its dtype and shape", () => {
    const dir = changed("v3", (tensors) => {
      tensors.set("model.layers.1.mlp.bonus.weight", { dtype: "f32", shape: [2], data: new Uint8Array(8) });
    });
    expect(words(dir)).toEqual([
      expect.stringContaining('checkpoint/surplus-tensor: tensor "model.layers.1.mlp.bonus.weight" F32 [2]'),
    ]);
  });
  test("that is misshapen is named, with both shapes", () => {
    const dir = changed("v3", (tensors) => {
      tensors.set(norm, { dtype: "bf16", shape: [95], data: new Uint8Array(190) });
    });
    expect(words(dir)).toEqual([
      expect.stringMatching(
        /^checkpoint\/misshapen-tensor: tensor ".*input_layernorm.*" is \[95\], expected \[96\]: .+/,
      ),
    ]);
  });
  test("of a dtype that no weight has is named", () => {
    const dir = changed("v3", (tensors) => {
      tensors.set(norm, { dtype: "i64", shape: [96], data: new Uint8Array(768) });
    });
    expect(words(dir)).toEqual([expect.stringMatching(/^checkpoint\/dtype: .*I64, expected BF16, F16, F32/)]);
  });
  test("in FP8 without its scales is named, with the grid they must have", () => {
    const dir = changed("v3-fp8", (tensors) => {
      const name = [...tensors.keys()].find((it) => it.endsWith("_scale_inv")) ?? "";
      tensors.delete(name);
    });
    expect(words(dir)).toEqual([expect.stringMatching(/missing tensor ".*_scale_inv".*128x128 block/)]);
  });
});

test("all faults are told in one run, the first twenty in words", () => {
  const dir = changed("v3", (tensors) => {
    for (const name of [...tensors.keys()].filter((it) => it.includes("experts.1."))) tensors.delete(name);
    for (const name of [...tensors.keys()].filter((it) => it.includes("layers.2."))) tensors.delete(name);
  });
  const found = faults(dir);
  expect(found.length).toBe(21);
  expect(found.at(-1)?.code).toBe("checkpoint/more");
});

test("a tensor may be float16 or float32 where the family has bfloat16", () => {
  const dir = changed("llama-distill", (tensors) => {
    for (const [name, { dtype, shape }] of tensors)
      if (dtype === "bf16" && name.includes("mlp")) {
        const count = shape.reduce((n, d) => n * d, 1);
        tensors.set(name, { dtype: "f16", shape, data: new Uint8Array(count * 2) });
      }
  });
  expect(faults(dir)).toEqual([]);
});

describe("multi-token-prediction layers", () => {
  test("are recognized and kept apart", () => {
    const { imported, config } = openModel(join(root, "fixtures/tiny/v3"));
    expect(imported.predictionTensors.length).toBeGreaterThan(10);
    for (const name of imported.predictionTensors) expect(name).toMatch(`model.layers.${config.layers}.`);
  });
  test("are recognized where the config does not count them", () => {
    const dir = changed(
      "v3",
      () => {},
      (text) => text.replace(/"num_nextn_predict_layers": 1,/, ""),
    );
    expect(openModel(dir).imported.predictionTensors.length).toBeGreaterThan(10);
  });
});

describe("a config", () => {
  const withConfig = (edit: (text: string) => string): string => changed("v2-lite", () => {}, edit);
  const set = (key: string, value: string) => (text: string) =>
    text.replace(new RegExp(`"${key}": [^,\\n]+`), `"${key}": ${value}`);
  test.each<[string, (text: string) => string, string]>([
    ["that is no JSON", () => "{", "checkpoint/config"],
    ["of a family nobody knows", set("model_type", '"mamba"'), "checkpoint/unsupported-family"],
    ["with a size that is no number", set("hidden_size", '"wide"'), "checkpoint/config"],
    ["with a size below one", set("num_attention_heads", "0"), "checkpoint/config"],
    ["with more experts a token than there are", set("num_experts_per_tok", "1000"), "checkpoint/config"],
    ["with an activation nobody knows", set("hidden_act", '"gelu"'), "checkpoint/config"],
    ["with a rotary scaling nobody knows", set("type", '"spiral"'), "checkpoint/config"],
  ])("%s is diagnosed", (_, edit, code) => {
    expect(faults(withConfig(edit)).map((d) => d.code)).toEqual([code]);
  });
  test("that is absent is said to be absent", () => {
    const dir = join(folder, "bare");
    mkdirSync(dir);
    cpSync(
      join(root, "fixtures/malformed/safetensors/valid_control.safetensors"),
      join(dir, "model.safetensors"),
    );
    expect(readHeader(join(dir, "model.safetensors")).tensors.size).toBe(1);
    expect(words(dir)).toEqual([expect.stringContaining("there is no config.json")]);
  });
});
