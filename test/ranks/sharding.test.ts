/** A model cut for many ranks computes what the model computes. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { pipeline, quantizing, shardedPhases } from "../../passes/index.ts";
import { quantizeCaches } from "../../passes/quantize/caches.ts";
import { sharder } from "../../passes/shard/shard.ts";
import { layerInOrder } from "../../src/cluster/expert-map.ts";
import { expertRanks, parseMesh, rankCount } from "../../src/cluster/mesh.ts";
import type { Module } from "../../src/ir/graph.ts";
import { planQuantization, schemeFrom } from "../../src/driver/quantize.ts";
import { verify } from "../../src/ir/verifier.ts";
import { runPasses } from "../../src/pass/runner.ts";
import { interpretModel, largestDifference, type Feed } from "../support/interpret-model.ts";
import { root } from "../support/moec.ts";

const ids = [5, 17, 3, 88, 41, 9, 7];

/** The module of every rank of a mesh. */
function cut(module: Module, text: string, redundant: number): readonly Module[] {
  const mesh = parseMesh(text);
  const held = (_: number, experts: number) => layerInOrder(experts, expertRanks(mesh), redundant);
  const shard = sharder(module, { mesh, held });
  return Array.from({ length: rankCount(mesh) }, (_, rank) => shard(rank));
}

describe.each([
  ["fixtures/tiny/v3", ["ep2", "ep3", "ep4", "ep8", "tp2", "tp2xep4", "pp2xep2", "tp2xpp2", "tp3"]],
  ["fixtures/tiny/v2-lite", ["ep3", "tp2", "tp2xep2"]],
  ["fixtures/tiny/qwen2-distill", ["tp2", "pp2", "ep2"]],
  ["fixtures/variants/qwen2-one-kv-head", ["tp2"]],
  ["fixtures/variants/v3-halves-bias", ["tp2xep2xpp2"]],
  ["fixtures/deep/v1-moe-tiny", ["tp2xep3"]],
  ["fixtures/deep/r1-0528-qwen3-tiny", ["tp2", "tp4"]],
] as const)("%s", (checkpoint, meshes) => {
  const model = interpretModel(join(root, checkpoint));
  const module = runPasses(model.module, pipeline);
  const expected = model.prefill(module, ids);

  test.each(meshes.flatMap((mesh) => [[mesh, 0] as const, [mesh, 3] as const]))(
    "%s with %i redundant experts gives the logits of one device, at once and token by token",
    (mesh, redundant) => {
      const ranks = cut(module, mesh, redundant);
      for (const own of ranks) expect(verify(own)).toEqual([]);
      const tidy = ranks.map((own) => runPasses(own, shardedPhases));
      expect(largestDifference(model.prefillRanks(ranks, ids), expected)).toBeLessThan(1e-4);
      expect(largestDifference(model.prefillRanks(tidy, ids), expected)).toBeLessThan(1e-4);
      expect(largestDifference(model.decodeRanks(tidy, ids), expected)).toBeLessThan(1e-4);
    },
  );
});

/** Sequences of different lengths: one fed at once and continued, one token by token, one that ends before the others begin. */
const sequences: readonly (readonly Feed[])[] = [
  [{ name: "prefill", ids }, { name: "decode", ids: [4] }, { name: "decode", ids: [60] }],
  [{ name: "decode", ids: [9] }, { name: "prefill", ids: [3, 44, 8] }],
  [{ name: "prefill", ids: [12] }],
]; // prettier-ignore

const spread: readonly (readonly [checkpoint: string, meshes: readonly (readonly [string, number])[]])[] = [
  ["fixtures/tiny/v3", [["dp2", 0], ["dp3", 3], ["dp2xep2", 3], ["dp2xtp2", 0], ["dp2xep4", 8], ["pp2xdp2", 3]]],
  ["fixtures/tiny/v2-lite", [["dp3", 0]]],
  ["fixtures/tiny/qwen2-distill", [["dp2xtp2", 0]]],
]; // prettier-ignore

describe.each(spread)("sequences of %s", (checkpoint, meshes) => {
  const model = interpretModel(join(root, checkpoint));
  const module = runPasses(model.module, pipeline);
  const alone = sequences.map((feeds) => model.sequences([module], parseMesh("tp1"), [feeds])[0] ?? [NaN]);

  test.each(meshes)(
    "on %s with %i redundant experts have the logits that they have alone",
    (text, redundant) => {
      const mesh = parseMesh(text);
      const ranks = cut(module, text, redundant).map((own) => runPasses(own, shardedPhases));
      const found = model.sequences(ranks, mesh, sequences.slice(0, mesh.dp));
      found.forEach((it, i) => expect(largestDifference(it, alone[i] ?? [])).toBeLessThan(1e-4));
    },
  );
});

test("a group without a sequence idles along", () => {
  const model = interpretModel(join(root, "fixtures/tiny/v3"));
  const ranks = cut(runPasses(model.module, pipeline), "dp2", 0);
  const [own, idle] = model.sequences(ranks, parseMesh("dp2"), [[{ name: "prefill", ids }]]);
  expect(largestDifference(own ?? [], model.prefill(runPasses(model.module, pipeline), ids))).toBeLessThan(
    1e-4,
  );
  expect(idle?.length).toBe(0);
});

describe("caches of int8", () => {
  test.each([
    ["fixtures/tiny/v3", "tp2xep2"],
    ["fixtures/tiny/qwen2-distill", "tp2xpp2"],
  ])("of %s on %s are the same codes", (checkpoint, mesh) => {
    const model = interpretModel(join(root, checkpoint));
    const module = quantizeCaches(runPasses(model.module, pipeline));
    const ranks = cut(module, mesh, 0).map((own) => runPasses(own, shardedPhases));
    expect(largestDifference(model.prefillRanks(ranks, ids), model.prefill(module, ids))).toBeLessThan(1e-4);
  });
});

describe("quantized weights", () => {
  const model = interpretModel(join(root, "fixtures/tiny/v3"));
  const quantized = (name: string): Module => {
    const scheme = schemeFrom(name);
    if (!scheme) throw new Error(`${name} quantizes`);
    return runPasses(model.module, quantizing(pipeline, planQuantization(scheme, "nearest")));
  };

  test.each([
    ["int8", "tp2xep2"],
    ["int8-128x128", "tp2xep3"],
    ["int4-g32", "ep3"],
    ["w8a8", "ep2xpp2"],
    ["w4a8", "dp2xep2"],
    ["mxfp4", "dp2"],
  ])("%s on %s are the same codes behind the same scales", (scheme, mesh) => {
    const module = quantized(scheme);
    const ranks = cut(module, mesh, 2).map((own) => runPasses(own, shardedPhases));
    expect(largestDifference(model.prefillRanks(ranks, ids), model.prefill(module, ids))).toBeLessThan(1e-4);
    expect(largestDifference(model.decodeRanks(ranks, ids), model.decode(module, ids))).toBeLessThan(1e-4);
  });
  test("columns that are rotated together leave a run for each tensor rank", () => {
    const scheme = schemeFrom("w8a8");
    if (!scheme) throw new Error("w8a8 is a scheme");
    const [whole, parted] = [1, 2].map((shares) => planQuantization(scheme, "nearest", shares));
    if (!whole || !parted) throw new Error("there are two");
    const trained = interpretModel(join(root, "fixtures/moe-6m"));
    const lowered = (by: typeof whole) => runPasses(trained.module, quantizing(pipeline, by));
    expect(() => cut(lowered(whole), "tp2", 0)).toThrow("cluster/indivisible");
    const module = lowered(parted);
    // Each rank rounds its own part of a row, so that sums are near and not the same.
    const found = trained.prefillRanks(cut(module, "tp2", 0), ids);
    const expected = trained.prefill(module, ids);
    const size = Math.max(...expected.map(Math.abs));
    expect(largestDifference(found, expected) / size).toBeLessThan(0.05);
  });
  test("groups that ranks would tear are named", () => {
    expect(() => cut(quantized("int4-g32"), "tp2", 0)).toThrow(
      /cluster\/indivisible.*of which \d+ share a scale or a rotation, cannot be shared between 2 ranks/,
    );
  });
});

describe("what cannot be shared", () => {
  const { module } = interpretModel(join(root, "fixtures/tiny/v3"));
  const lowered = runPasses(module, pipeline);
  test.each([
    ["tp64", "cluster/indivisible"],
    ["pp64", "cluster/stages"],
  ])("%s ends with %s", (mesh, code) => expect(() => cut(lowered, mesh, 0)).toThrow(code));
});
