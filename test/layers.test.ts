/** Who may import whom, held for every source file. The layers stand in docs/architecture.md. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

const layers = [
  ["support"],
  ["tensor", "wasm"],
  ["ir"],
  ["interp", "machine", "quant", "cluster", "pass"],
  ["frontend/safetensors", "frontend/deepseek", "frontend/onnx", "plan"],
  ["runtime", "export", "report"],
  ["driver"],
  ["cli"],
];
/** Imports within one layer, `importer imported`; all others there are forbidden. */
const neighbours = new Set([
  "frontend/deepseek frontend/safetensors",
  "plan frontend/safetensors",
  "pass interp", // proofs of raisings
  "cluster machine", // figures with their sources
]);
const passesSee = new Set("support tensor ir interp pass quant cluster machine".split(" "));
const targetsSee = new Set("support tensor wasm ir machine plan".split(" "));
/** What one target takes from another: Ascend's kernels are written from what those of any device are made of. */
const targetNeighbours = new Set(["targets/ascend targets/device"]);
const readsFiles =
  /^src\/(cli|driver|tensor|plan|runtime|frontend\/safetensors|frontend\/deepseek|frontend\/onnx)\//;
const usesTerminal = /^src\/(cli\/|support\/log\.ts$)/;

const files = globSync("{src,passes,targets}/**/*.ts").map((it) => it.replaceAll("\\", "/"));
const text = new Map(files.map((it) => [it, readFileSync(it, "utf8")]));

/** The part of the layout that a file belongs to: `ir`, `frontend/onnx`, `passes/fuse`, `targets/cpu`. */
function partOf(file: string): string {
  const [top = "", second = "", third = ""] = file.split("/");
  if (top !== "src") return `${top}/${second.replace(/\.ts$/, "")}`;
  return second === "frontend" ? `${second}/${third}` : second;
}

type Import = { readonly from: string; readonly to: string; readonly typeOnly: boolean };
const imports: Import[] = [...text].flatMap(([from, source]) =>
  [...source.matchAll(/(?:^(import|export)( type)?\b[^;"]*?|\bimport\()"(\.[^"]+\.ts)"/gm)].map((it) => ({
    from,
    to: join(dirname(from), it[3] ?? "").replaceAll("\\", "/"),
    typeOnly: it[2] !== undefined,
  })),
);

function allowed(from: string, to: string): boolean {
  const [here, there] = [partOf(from), partOf(to)];
  if (here === there) return true;
  const pluginTop = from.split("/")[0];
  if (pluginTop === "passes")
    return from === "passes/index.ts" ? to.startsWith("passes/") || there === "pass" : passesSee.has(there);
  if (pluginTop === "targets")
    return from === "targets/index.ts"
      ? to.startsWith("targets/") || targetsSee.has(there)
      : targetsSee.has(there) || targetNeighbours.has(`${here} ${there}`);
  if (!to.startsWith("src/")) return here === "driver" && /^(passes|targets)\//.test(to);
  const level = (part: string): number => layers.findIndex((layer) => layer.includes(part));
  if (level(here) < 0 || level(there) < 0) return false; // a new folder needs its place in the list
  return level(there) < level(here) || neighbours.has(`${here} ${there}`);
}

/** The files of a cycle of imports that run, or undefined; types vanish and close no cycle. */
function cycle(): string[] | undefined {
  const next = Map.groupBy(imports.filter((it) => !it.typeOnly), (it) => it.from); // prettier-ignore
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const { to } of next.get(file) ?? []) {
      const found = visit(to, [...path, file]);
      if (found) return found;
    }
    done.add(file);
    return undefined;
  };
  for (const file of files) {
    const found = visit(file, []);
    if (found) return found;
  }
  return undefined;
}

const matching = (pattern: RegExp): string[] => files.filter((it) => pattern.test(text.get(it) ?? ""));

describe("the sources", () => {
  test("import only what their layer may see", () => {
    const wrong = imports
      .filter(({ from, to }) => !allowed(from, to))
      .map(({ from, to }) => `${from} imports ${to}`);
    expect(wrong).toEqual([]);
  });
  test("import files that exist, and in no circle", () => {
    expect(imports.filter(({ to }) => !text.has(to))).toEqual([]);
    expect(cycle()).toBeUndefined();
  });
  test("have no default export and no utils", () => {
    expect(matching(/^export default\b|\bas default\b/m)).toEqual([]);
    expect(files.filter((it) => /\butils?\b/.test(it))).toEqual([]);
  });
  test("leave the terminal to the command line and the log", () => {
    const users = matching(/\bprocess\.(stdout|stderr)\b|\bconsole\.\w+\(/);
    expect(users.filter((it) => !usesTerminal.test(it))).toEqual([]);
  });
  test("leave chalk and ora to the log", () => {
    expect(matching(/"(chalk|ora)"/)).toEqual(["src/support/log.ts"]);
  });
  test("leave the file system to the parts that read and write", () => {
    expect(matching(/"(node:)?fs(\/promises)?"/).filter((it) => !readsFiles.test(it))).toEqual([]);
  });
  test("treat no device by its name in a pass", () => {
    expect(matching(/\bprofile\.name\s*[!=]==/).filter((it) => it.startsWith("passes/"))).toEqual([]);
  });
});
