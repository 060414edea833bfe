/** The script that serves a model with vLLM on Ray. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { clusterNamed } from "../../../src/cluster/cluster-name.ts";
import { parseMesh } from "../../../src/cluster/mesh.ts";
import { usualMesh, vllmLaunchScript, type Serving } from "../../../src/export/vllm-launch.ts";

const script = (name: string, more: Partial<Serving> = {}): string => {
  const cluster = clusterNamed(name);
  return vllmLaunchScript(cluster, {
    model: "/models/deepseek's v3",
    experts: { count: 256, topK: 8, width: 7168 },
    mesh: usualMesh(cluster),
    sequences: 16,
    context: 16384,
    quantized: true,
    ...more,
  });
};

/** What a shell hands to `ray` or `vllm`, one argument a line; commands that are not there are stood in for. */
const called = (text: string, ...args: readonly string[]): readonly string[] => {
  const stand = `ray() { printf '%s\\n' ray "$@"; }; vllm() { printf '%s\\n' vllm "$@"; }\n`;
  const shown = text.replaceAll("exec ray", "ray").replaceAll("exec vllm", "vllm");
  const env = { PATH: process.env["PATH"] ?? "", IP: "10.0.0.1" };
  const done = spawnSync("bash", ["-s", "--", ...args], { input: stand + shown, encoding: "utf8", env });
  expect(done.status, done.stderr).toBe(0);
  return done.stdout.trim().split("\n");
};
const flag = (args: readonly string[], name: string) => args[args.indexOf(name) + 1];

describe("the script for two nodes of eight", () => {
  const text = script("2x8 ascend-910b3", { expertMap: "/shared/map.json" });
  test("serves with a tensor rank a device and a data-parallel group a node", () => {
    const args = called(text, "serve");
    expect(args.slice(0, 3)).toEqual(["vllm", "serve", "/models/deepseek's v3"]);
    expect(flag(args, "--tensor-parallel-size")).toBe("8");
    expect(flag(args, "--data-parallel-size")).toBe("2");
    expect(flag(args, "--data-parallel-size-local")).toBe("1");
    expect(args).toContain("--enable-expert-parallel");
    expect(flag(args, "--quantization")).toBe("ascend");
    expect(JSON.parse(flag(args, "--additional-config") ?? "")).toEqual({
      eplb_config: { expert_map_path: "/shared/map.json" },
    });
  });
  test("makes the buffers that dispatching so many tokens needs", () => {
    expect(text).toContain("export HCCL_BUFFSIZE=200"); // 16 tokens to 16 experts of 16 ranks need less than HCCL's own 200 MB
    expect(script("2x8 ascend-910b3", { sequences: 64 })).toMatch(/HCCL_BUFFSIZE=(4\d\d|5\d\d)\n/); // 64 · 14.8 kB · 256 · 2
  });
  test("starts Ray on the head and on the workers", () => {
    expect(called(text, "head")).toContain("--head");
    expect(called(text, "worker", "10.0.0.9")).toContain("--address=10.0.0.9:6379");
  });
});

test("a data-parallel group a device", () => {
  const text = script("2x8 ascend-910b3", { mesh: parseMesh("dp16"), sequences: 64 });
  const args = called(text, "serve");
  expect(flag(args, "--tensor-parallel-size")).toBe("1");
  expect(flag(args, "--data-parallel-size")).toBe("16");
  expect(flag(args, "--data-parallel-size-local")).toBe("8");
  expect(args).toContain("--enable-expert-parallel");
  // A rank has as many experts as where groups are of eight: their number is that of the devices.
  const sizes = [text, script("2x8 ascend-910b3", { sequences: 64 })].map(
    (it) => /BUFFSIZE=\d+/.exec(it)?.[0],
  );
  expect(new Set(sizes).size).toBe(1);
});

test("stages take whole nodes", () => {
  const args = called(script("2x8 ascend-910b3", { mesh: { pp: 2, dp: 1, ep: 1, tp: 8 } }), "serve");
  expect(flag(args, "--pipeline-parallel-size")).toBe("2");
  expect(args).not.toContain("--data-parallel-size");
});

describe("there is none", () => {
  test.each([
    ["8x biren-br100", "no public plugin"],
    ["ascend-biren-stages", "mixes devices"],
  ])("for %s", (name, why) => {
    expect(() => script(name, { mesh: { pp: 1, dp: 1, ep: 1, tp: 8 } })).toThrow(why);
  });
  test("for a mesh of another size", () => {
    expect(() => script("8x ascend-910b3", { mesh: { pp: 1, dp: 1, ep: 1, tp: 4 } })).toThrow(
      "8 devices, the mesh 4",
    );
  });
});
