/** What each rank's memory holds is told beforehand, and what does not fit is refused with a way out. */
import { join } from "node:path";
import { readFileSync } from "node:fs";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { parseMesh } from "../../src/cluster/mesh.ts";
import { emit, lowerModel } from "../../src/driver/compile.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { weightNames } from "../../src/plan/program/program.ts";
import { layoutMemory } from "../../src/runtime/engine/layout.ts";
import { moec, root } from "../support/moec.ts";
import { tempFolder } from "../support/temp.ts";

const temp = tempFolder();
const model = join(root, "fixtures/moe-6m");

const memory = v.object({
  weights: v.number(),
  cache: v.number(),
  workspace: v.number(),
  scratch: v.literal(0), // the CPU has none
  communication: v.number(),
});
const summary = v.looseObject({
  ranks: v.array(v.looseObject({ memory, hcclBuffSizeMB: v.number() })),
});
const failure = v.object({
  error: v.tuple([v.looseObject({ code: v.string(), message: v.string(), hint: v.string() })]),
});

describe("moec compile --json", () => {
  const dir = join(temp, "ep3");
  const compiled = moec(["compile", model, "-o", dir, "--parallel", "ep3", "--context", "512", "--json"]);
  const told = v.parse(summary, JSON.parse(compiled.out)).ranks;

  test("tells the memory of each rank", () => {
    expect(told.length).toBe(3);
    const plan = readPlan(dir);
    told.forEach(({ memory: it, hcclBuffSizeMB }, rank) => {
      const programs = plan.programs(rank);
      const own = weightNames(programs);
      const weights = plan.manifest.weights.filter((w) => own.has(w.name));
      expect(it.weights).toBe(weights.reduce((n, w) => n + w.bytes, 0));
      expect(it.cache).toBe(5 * 512 * 80 * 4);
      const { totalBytes } = layoutMemory(programs, plan.manifest.ranks[rank]?.caches ?? [], weights, 512, 1);
      const own3 = it.weights + it.cache + it.workspace;
      expect(Math.abs(own3 / totalBytes - 1)).toBeLessThan(0.02);
      expect(it.communication).toBeGreaterThan(0);
      expect(hcclBuffSizeMB).toBe(200);
    });
  });
  test("writes each rank's text", () => {
    const text = readFileSync(readPlan(dir).file("rank-2.mir"), "utf8");
    expect(text).toContain("dispatch(");
    expect(text).toContain("starts=[0, 10, 21, 32]");
  });
});

test("groups with sequences of their own share the experts; the rest, and a cache each, all of them have", () => {
  const memoryOn = (mesh: string) => {
    const settings = { context: 512, parallel: { mesh: parseMesh(mesh), redundantExperts: 0 } };
    return emit(lowered, settings).parts.head.ranks.map((it) => it.memory);
  };
  const lowered = lowerModel(model, { context: 512 });
  const [alone, expert, data, both] = ["tp1", "ep2", "dp2", "dp2xep2"].map(memoryOn);
  expect(data?.length).toBe(2);
  data?.forEach((it, rank) => {
    expect(it.weights).toBe(expert?.[rank]?.weights);
    expect(it.cache).toBe(alone?.[0]?.cache);
    // All tokens of both may come to one rank.
    expect(it.communication).toBeGreaterThan(1.5 * (expert?.[rank]?.communication ?? NaN));
    expect(both?.[rank]?.weights).toBeLessThan(it.weights);
  });
});

/** Refused for want of memory: what the diagnostic says. */
function refused(...args: readonly string[]) {
  const { code, out } = moec(["compile", model, "--dry-run", "--json", "--context", "512", ...args]);
  expect(code).toBe(4);
  const [error] = v.parse(failure, JSON.parse(out)).error;
  expect(error.code).toBe("cluster/memory");
  return error;
}

describe("a plan that does not fit", () => {
  test("ends with exit code 4, by how much, and what weighs most", () => {
    const { message } = refused("--memory-per-rank", "10MiB");
    expect(message).toMatch(
      /^rank 0 needs \d\d\.\d MiB, \d\.\d\d MiB more than the 10\.0 MiB it has: weights 12\.8 MiB \(routed experts 9\.00 MiB\), /,
    );
  });
  test("names changes that do make it fit", () => {
    const { hint } = refused("--memory-per-rank", "10MiB", "--parallel", "ep2");
    const ways = [...hint.matchAll(/(--\w+) (\S+) \(about/g)];
    expect(ways.length).toBeGreaterThan(2);
    for (const [, flag = "", value = ""] of ways) {
      const others = flag === "--parallel" ? [] : ["--parallel", "ep2"];
      const sizes = flag === "--context" ? [] : ["--context", "512"];
      const args = [flag, value, ...others, ...sizes, "--memory-per-rank", "10MiB", "--quiet"];
      expect(moec(["compile", model, "--dry-run", ...args]), `${flag} ${value}`).toMatchObject({ code: 0 });
    }
  });
  test("leaves nothing on disk", () => {
    const dir = join(temp, "none");
    expect(moec(["compile", model, "-o", dir, "--memory-per-rank", "1MiB"]).code).toBe(4);
    expect(() => readPlan(dir)).toThrow("plan/not-a-plan");
  });
});

test("a graph is not spread over ranks", () => {
  const { code, err } = moec([
    "compile",
    join(root, "fixtures/contrib/rotary_pairs/model.onnx"),
    "--dry-run",
    "--parallel",
    "ep2",
  ]);
  expect(code).toBe(2);
  expect(err).toContain("error[cluster/graph]");
});
