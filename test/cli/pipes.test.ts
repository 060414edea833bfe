/** What a command line names in place of a file may be a pipe, which tells what it holds once. */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { executable, moec, root } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();

const tiny = "fixtures/tiny/v3";
const written = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const recipe = { weights: "int8", tensors: { "*.down_proj.*": "none" } };
const held = Array.from({ length: 2 }, (_, rank) => Array.from({ length: 8 }, (_, i) => 8 * rank + i));
const map = { format: "moec-expert-map", version: 1, experts: 16, ranks: 2, layers: [held, held] };
const files = {
  quant: written("recipe.json", JSON.stringify(recipe)),
  calibrate: written("text.txt", readFileSync(join(root, "fixtures/text/sample.txt"), "utf8").slice(0, 5000)),
  target: written("chip.json", moec(["targets", "ascend-910b3", "--json"]).out),
  cluster: written("split.json", moec(["clusters", "prefill: 1x biren-br100 + decode: 1x ascend-910b3", "--json"]).out), // prettier-ignore
  placement: written("map.json", JSON.stringify(map)),
};

/** What a compile writes whose flag names a pipe with what a file holds, or the file itself. */
function planBy(way: "pipe" | "file", args: readonly string[], flag: string, file: string): string {
  const plan = join(folder, way);
  const named = way === "pipe" ? `<(cat "$file")` : `"$file"`;
  const script = `file=$1; shift; exec "$@" ${flag} ${named}`;
  const call = [file, process.execPath, executable, "compile", ...args, "-o", plan, "--quiet"];
  const done = spawnSync("bash", ["-c", script, "bash", ...call], { cwd: root, encoding: "utf8" });
  expect(done.status, done.stderr).toBe(0);
  const manifests = globSync("**/plan.json", { cwd: plan }).sort();
  const text = manifests.map((it) => readFileSync(join(plan, it), "utf8")).join("");
  rmSync(plan, { recursive: true });
  return text; // the hashes of all else that a plan holds are in it
}

const short = ["--tune", "1", "-c", "64"];
const demo = "fixtures/moe-6m";
const quickly = ["--rounding", "nearest", "--gradient-windows", "0", "--quant", "int8"];
test.for([
  ["quant", [tiny]],
  ["quant", [tiny, "--cluster", "8x ascend-910b3", "--parallel", "ep2", ...short]],
  ["calibrate", [demo, ...quickly]],
  ["target", [tiny, ...short]],
  ["cluster", [tiny, ...short]],
  ["placement", [tiny]],
] as const)("moec compile takes a pipe for --%s as it takes the file: %j", ([flag, args], { skip }) => {
  if (spawnSync("bash", ["-c", ":"]).status !== 0) skip("there is no bash here");
  const plan = planBy("file", args, `--${flag}`, files[flag]);
  expect(plan).not.toBe("");
  expect(planBy("pipe", args, `--${flag}`, files[flag])).toBe(plan);
});
