/** Quantizing on a text: what is kept, taken up again and refused. */
import { spawn } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { executable, moec, root } from "../support/moec.ts";
import { writeRandomCheckpoint, type RawConfig } from "../support/random-checkpoint.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const text = join(folder, "text.txt");
writeFileSync(text, readFileSync(join(root, "fixtures/text/sample.txt"), "utf8").slice(0, 500));
/** The bundled model made small, with its tokenizer. */
const model = join(folder, "model");
const bundled = join(root, "fixtures/moe-6m");
const small = {
  hidden_size: 64,
  num_hidden_layers: 2,
  intermediate_size: 96,
  moe_intermediate_size: 32,
  n_routed_experts: 8,
  num_attention_heads: 2,
};
const raw: unknown = JSON.parse(readFileSync(join(bundled, "config.json"), "utf8"));
writeRandomCheckpoint(model, { ...(raw as RawConfig), ...small }, 5);
cpSync(join(bundled, "tokenizer.json"), join(model, "tokenizer.json"));
cpSync(join(bundled, "tokenizer_config.json"), join(model, "tokenizer_config.json"));
const compileTo = (plan: string, ...more: readonly string[]): readonly string[] => [
  "compile",
  model,
  "-o",
  join(folder, plan),
  "--quant",
  "int4-g32",
  "--threads",
  "1",
  "--calibrate",
  text,
  ...more,
];

/** Every file of a plan by its place in the folder. */
function filesOf(dir: string): ReadonlyMap<string, string> {
  const names = readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
  return new Map(
    names
      .filter((name) => statSync(join(dir, name)).isFile())
      .map((name) => [name, readFileSync(join(dir, name), "base64")]),
  );
}

test(
  "a compile that was killed goes on where it stopped, and its plan is that of one that was not",
  { timeout: 120_000 },
  async () => {
    const how = ["--rounding", "importance", "--gradient-windows", "0"];
    expect(moec(compileTo("whole", ...how)).code).toBe(0);
    const child = spawn(process.execPath, [executable, ...compileTo("killed", ...how)], { cwd: root });
    const ended = new Promise((resolve) => child.on("exit", resolve));
    const work = join(folder, "killed.quant");
    const done = (): readonly string[] =>
      existsSync(work)
        ? readdirSync(work, { recursive: true, encoding: "utf8" }).filter((it) => it.endsWith(".safetensors"))
        : [];
    while (done().length < 2 && child.exitCode === null) await setTimeout(10);
    child.kill("SIGKILL");
    await ended;
    expect(existsSync(join(folder, "killed"))).toBe(false);
    expect(done().length).toBeGreaterThanOrEqual(2);
    expect(moec(compileTo("killed", ...how)).code).toBe(0);
    expect(filesOf(join(folder, "killed"))).toEqual(filesOf(join(folder, "whole")));
    expect(existsSync(work)).toBe(false);
  },
);

test("a calibration is kept, and taken for the same model and text only", () => {
  const kept = join(folder, "calibration");
  const how = ["--gradient-windows", "1", "--rounding", "gptq", "--calibration", kept];
  const recipe = join(folder, "recipe.json");
  writeFileSync(recipe, JSON.stringify({ weights: "int4-g64", tensors: { "*.mlp.*": "none" } }));
  const compile = (plan: string) => moec(compileTo(plan, ...how, "--quant", recipe));
  const first = compile("first");
  expect(first.err).toContain("measured and kept there");
  const again = compile("again");
  expect(again.err).toContain("taken from");
  expect(filesOf(join(folder, "again"))).toEqual(filesOf(join(folder, "first")));
  writeFileSync(text, `${readFileSync(text, "utf8")} and more`);
  expect(compile("other").err).toContain("measured and kept there");
});

test.each([
  [["--quant", "auto", "--calibrate", text], "usage/missing", "--bits"],
  [["--quant", "auto", "--bits", "4.5"], "quant/needs-text", "--calibrate"],
  [["--quant", "int4", "--rounding", "awq"], "quant/needs-text", "--calibrate"],
  [["--quant", "int8", "--bits", "4.5"], "usage/missing", "--quant"],
])("%j ends with %s", (flags, code, about) => {
  const { code: exit, out } = moec(["compile", model, "-o", join(folder, "no"), ...flags, "--json"]);
  expect(exit).toBe(2);
  expect(out).toContain(code);
  expect(out).toContain(about);
});

test("an ONNX model cannot be calibrated, and that is said", () => {
  const flags = ["--as", "decoder", "--quant", "int4", "--calibrate", text, "--json"];
  const { code, out } = moec(["compile", "model.onnx", "-o", join(folder, "no"), ...flags]);
  expect(code).toBe(2);
  expect(out).toContain("quant/not-calibrated");
});
