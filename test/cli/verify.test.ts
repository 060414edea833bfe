/** `moec verify`: the layer and the operator in which a plan leaves its model. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { readHeader } from "../../src/frontend/safetensors/header.ts";
import { parseManifest } from "../../src/plan/manifest.ts";
import { moec } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const model = "fixtures/tiny/v3";
const plans = { none: join(folder, "none"), int8: join(folder, "int8"), w4a8: join(folder, "w4a8") };
const ranks = join(folder, "ranks");
const device = join(folder, "device");

beforeAll(() => {
  for (const [quant, dir] of Object.entries(plans))
    expect(moec(["compile", model, "-o", dir, "--quant", quant]).code).toBe(0);
  expect(moec(["compile", model, "-o", ranks, "--parallel", "tp2xep2"]).code).toBe(0);
  expect(moec(["compile", model, "-o", device, "--target", "biren-br100", "--tune", "1", "-c", "64"]).code).toBe(0); // prettier-ignore
});

/** A copy of a plan in which the stored weight whose name begins so is something else, and its checksum that of the new bytes. */
function corrupted(from: string, name: string, corrupt: (bytes: Buffer) => void): string {
  const dir = join(folder, `${name.replaceAll(/[^\w]/g, "-")}-of-${from.split("/").at(-1)}`);
  cpSync(from, dir, { recursive: true });
  const path = join(dir, "plan.json");
  const manifest = parseManifest(readFileSync(path, "utf8"), path);
  const weight = manifest.weights.find((it) => it.name.startsWith(name)) ?? expect.fail(name);
  const file = join(dir, manifest.data, weight.file);
  const { offset } = readHeader(file).tensors.get(weight.name)?.region ?? expect.fail(weight.name);
  const bytes = readFileSync(file);
  const own = bytes.subarray(offset, offset + weight.bytes);
  corrupt(own);
  writeFileSync(file, bytes);
  weight.crc32 = crc32(own).toString(16).padStart(8, "0");
  writeFileSync(path, JSON.stringify(manifest));
  return dir;
}

const verified = (plan: string, ...more: readonly string[]) => {
  const { code, out } = moec(["verify", plan, "--against", plans.none, "--json", ...more]);
  return { code, found: JSON.parse(out) as Verified };
};
type Verified = {
  readonly tokens: number;
  readonly diverges: {
    readonly layer: string;
    readonly operator: string;
    readonly origin: readonly string[];
  } | null;
  readonly layers: readonly { readonly layer: string; readonly worst: { readonly error: number } }[];
};

describe("a plan that is what its model is", () => {
  test.each(["none", "int8", "w4a8"] as const)("%s", (quant) => {
    const { code, found } = verified(plans[quant]);
    expect(found.diverges).toBeNull();
    expect(code).toBe(0);
    expect(found.tokens).toBe(32);
    expect(found.layers.map((it) => it.layer)).toEqual([
      "model.embed_tokens",
      ...[0, 1, 2].map((n) => `model.layers.${n}`),
      "lm_head",
    ]);
  });
  test.each([
    ["of many ranks", ranks],
    ["for a device", device],
  ])("%s, where values are whole", (_, dir) => {
    const { code, found } = verified(dir, "--tokens", "5");
    expect(found.diverges).toBeNull();
    expect(code).toBe(0);
    expect(found.layers.map((it) => it.layer)).toHaveLength(5);
  });
  test("is compiled to be compared with, where a model is given", () => {
    const done = moec(["verify", plans.none, "--against", model, "--ids", "5,6,7"]);
    expect(done.code, done.err).toBe(0);
    expect(done.out).toMatch(/^model\.layers\.2 +0\.00e\+0 +1\.000000 /m);
  });
});

const reversed = (bytes: Buffer): void => void bytes.reverse();
const zeros = (bytes: Buffer): void => void bytes.fill(0);

describe("a plan with one other weight", () => {
  test.each([
    [
      "none",
      "model.layers.0.self_attn.o_proj.weight",
      reversed,
      "model.layers.0",
      "model.layers.0.self_attn.o_proj",
    ],
    [
      "none",
      "model.layers.2.self_attn.kv_a_layernorm",
      zeros,
      "model.layers.2",
      "model.layers.2.self_attn.kv_a_layernorm",
    ],
    [
      "int8",
      "model.layers.1.mlp.experts.0.down_proj",
      zeros,
      "model.layers.1",
      "model.layers.1.mlp.experts.0",
    ],
    [
      "w4a8",
      "model.layers.2.self_attn.q_b_proj",
      reversed,
      "model.layers.2",
      "model.layers.2.self_attn.q_b_proj",
    ],
    ["w4a8", "lm_head.weight", reversed, "lm_head", "lm_head"],
  ] as const)("%s, %s: is named", (quant, weight, corrupt, layer, origin) => {
    const { code, found } = verified(corrupted(plans[quant], weight, corrupt));
    expect(code).toBe(5);
    expect(found.diverges?.layer).toBe(layer);
    expect(found.diverges?.origin).toContain(origin);
  });
  test("on one of many ranks: the sum of them is named", () => {
    const { code, found } = verified(corrupted(ranks, "model.layers.1.self_attn.o_proj", zeros));
    expect(code).toBe(5);
    expect(found.diverges).toMatchObject({ layer: "model.layers.1", operator: "allReduce" });
    expect(found.diverges?.origin).toContain("model.layers.1.self_attn.o_proj");
  });
  test("is worded for people, and ends with exit code 5", () => {
    const plan = corrupted(plans.int8, "model.layers.1.self_attn.o_proj.weight", zeros);
    const { code, err } = moec(["verify", plan, "--against", plans.none]);
    expect(code).toBe(5);
    expect(err).toContain(
      "error[verify/diverges]: model.layers.1 diverges: linear of model.layers.1.self_attn.o_proj",
    );
  });
});

test("schedules of a plan for a device are checked, and the one at fault is named", () => {
  const dir = join(folder, "device");
  const made = moec([
    "compile",
    model,
    "-o",
    dir,
    "--target",
    "biren-br100",
    "--context",
    "64",
    "--tune",
    "1",
  ]);
  expect(made.code, made.err).toBe(0);
  expect(moec(["verify", dir]).out).toMatch(/^\d+ schedules are legal\n$/);
  const path = join(dir, "plan.json");
  const manifest = parseManifest(readFileSync(path, "utf8"), path);
  const name =
    Object.keys(manifest.files).find((it) => it.startsWith("schedules/swiglu")) ?? expect.fail("no swiglu");
  const file = join(dir, manifest.data, name);
  const text = readFileSync(file, "utf8").replace(/^ +wait .*\n/m, "");
  writeFileSync(file, text);
  manifest.files[name] = { bytes: text.length, crc32: crc32(text).toString(16).padStart(8, "0") };
  writeFileSync(path, JSON.stringify(manifest));
  const { code, out } = moec(["verify", dir, "--json"]);
  expect(code).toBe(5);
  expect(out).toContain("verify/schedule");
  expect(out).toContain(name);
  expect(moec(["verify", plans.none]).code).toBe(2);
});

test("a tolerance of one's own", () => {
  expect(verified(plans.int8, "--tolerance", "0.001").code).toBe(5);
  expect(verified(plans.none, "--tolerance", "0").code).toBe(0);
});

test("a plan of another model is refused", () => {
  const done = moec(["verify", plans.none, "--against", "fixtures/moe-6m", "--json"]);
  expect(done.code).toBe(2);
  expect(done.out).toContain("eval/other-vocabulary");
});
