/** Real exports compile, run and give what torch gave. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readDatum } from "../../fixtures/scripts/test-data.ts";
import { parseMesh } from "../../src/cluster/mesh.ts";
import { planQuantization, schemeFrom } from "../../src/driver/quantize.ts";
import { profileOf } from "../../src/driver/target.ts";
import { emitOnnx, emitOnnxDecoder } from "../../src/driver/onnx/compile-onnx.ts";
import { structureOf } from "../../src/driver/structure.ts";
import type { Module } from "../../src/ir/graph.ts";
import { lowerModel, write } from "../../src/driver/compile.ts";
import { elementsOf } from "../../src/frontend/onnx/reading/tensor.ts";
import { readHeader } from "../../src/frontend/safetensors/header.ts";
import { tensorFromBytes } from "../../src/interp/stored.ts";
import type { Tensor } from "../../src/interp/tensor.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { runGraph } from "../../src/runtime/graph.ts";
import { openSession } from "../../src/runtime/session.ts";
import { readRegion } from "../../src/tensor/source.ts";
import { tempFolder } from "../support/temp.ts";
import { namedScheme } from "../../src/quant/scheme.ts";
import { compareLayers } from "../../src/runtime/eval/compare.ts";
import { openTracer, type Tracer } from "../../src/runtime/trace.ts";
import { shared } from "./folder.ts";

const temp = tempFolder();

/** A model compiled, and its plan opened. */
async function compiled(folder: string, name: string) {
  const dir = join(temp, name);
  await write(dir, await emitOnnx(join(folder, "model.onnx"), {}));
  return readPlan(dir);
}

function largestDifference(a: Tensor | undefined, b: Tensor): number {
  expect(a?.shape).toEqual(b.shape);
  let worst = 0;
  b.data.forEach((x, i) => (worst = Math.max(worst, Math.abs(x - (a?.data[i] ?? NaN)))));
  return worst;
}

/** The golden tensors of each case: all, or those behind a prefix of their own. */
function goldenCases(folder: string): readonly ReadonlyMap<string, Tensor>[] {
  const { tensors } = readHeader(join(folder, "golden.safetensors"));
  const read = (prefix: string) =>
    new Map(
      [...tensors].flatMap(([name, { dtype, shape, region }]): [string, Tensor][] =>
        name.startsWith(prefix)
          ? [[name.slice(prefix.length), tensorFromBytes(dtype, shape, readRegion(region))]]
          : [],
      ),
    );
  const prefixes = [...new Set([...tensors.keys()].map((name) => /^p\d\./.exec(name)?.[0] ?? ""))];
  return prefixes.map(read);
}

const folders = (parent: string): string[] =>
  readdirSync(parent, { withFileTypes: true }).flatMap((it) => (it.isDirectory() ? [it.name] : []));

test("exports of torch and transformers give the golden outputs to 1e-4", async ({ skip }) => {
  const parent = shared("onnx/exports", skip);
  for (const name of folders(parent)) {
    const plan = await compiled(join(parent, name), name);
    const wanted = plan.manifest.graph?.outputs.map((it) => it.name) ?? [];
    for (const golden of goldenCases(join(parent, name))) {
      const outputs = runGraph(plan, golden);
      const known = [...golden].filter(([it]) => wanted.includes(it));
      expect(known.map(([it]) => it)).toContain("logits");
      for (const [it, tensor] of known)
        expect(largestDifference(outputs.get(it), tensor), `${name} ${it}`).toBeLessThan(1e-4);
    }
  }
});

/** How often each structured operator stands in a module. */
function structured(module: Module): Readonly<Record<string, number>> {
  const { operators } = structureOf(module);
  const names = "rmsNorm addRmsNorm linear rope attention latentAttention swigluPacked router experts".split(
    " ",
  );
  return Object.fromEntries(names.map((name) => [name, operators[name] ?? 0]));
}

test.for([
  ["v2-lite-tiny-hf", "v2-lite-tiny"],
  ["v3-tiny-hf", "v3-tiny"],
  ["v3-tiny-prefill-batched_mm", "v3-tiny"],
  ["v3-tiny-past-batched_mm", "v3-tiny"],
  ["r1-distill-qwen2-tiny-hf-ort-cpu", "r1-distill-qwen2-tiny"],
])("%s has the structured operators of its checkpoint", async ([name, checkpoint], { skip }) => {
  const { module, missed } = await emitOnnx(shared(`onnx/exports/${name}/model.onnx`, skip), {});
  const own = lowerModel(shared(`checkpoints/deep/${checkpoint}`, skip), { passes: { stopAfter: "fuse" } });
  const [prefill] = own.module.funcs;
  expect(structured(module)).toEqual(structured({ funcs: prefill ? [prefill] : [] }));
  expect(missed).toEqual([]);
});

test.for(["v2-lite-tiny-hf", "v3-tiny-hf", "v3-tiny-prefill-batched_mm", "r1-distill-qwen2-tiny-hf-ort-cpu"])(
  "%s is a decoder whose kernels give the golden logits, at once and token by token",
  async (name, { skip }) => {
    const folder = shared(`onnx/exports/${name}`, skip);
    const dir = join(temp, `${name}-decoder`);
    await write(dir, await emitOnnxDecoder(join(folder, "model.onnx"), {}));
    for (const by of ["prefill", "decode"] as const) {
      const session = openSession(readPlan(dir), 1);
      for (const golden of goldenCases(folder)) {
        const wanted = golden.get("logits")?.data ?? [];
        session.restart();
        await session.feed([...(golden.get("input_ids")?.data ?? [])], by, (logits, position) =>
          logits.forEach((x, i) =>
            expect(Math.abs(x - (wanted[position * logits.length + i] ?? NaN))).toBeLessThan(1e-4),
          ),
        );
      }
      await session.close();
    }
  },
);

test("r1-distill-qwen2-tiny is a decoder for a device, with the logits that the CPU's plan has", async ({
  skip,
}) => {
  const model = shared("onnx/exports/r1-distill-qwen2-tiny-hf-ort-cpu/model.onnx", skip);
  const quantization = planQuantization(namedScheme("int8") ?? expect.fail("int8"));
  const device = {
    profile: profileOf("ascend-910b3"),
    tiles: new Map(),
    trials: 1,
    verified: new Set<string>(),
  };
  const rows: Float32Array[][] = [[], []];
  for (const [i, options] of [{}, { device }].entries()) {
    const dir = join(temp, `decoder-${i}`);
    await write(dir, await emitOnnxDecoder(model, { context: 64, quantization, ...options }));
    const session = openSession(readPlan(dir), 1);
    await session.feed([5, 17, 3, 88, 41, 9, 7], "prefill", (logits) => rows[i]?.push(logits.slice()));
    await session.close();
  }
  rows[0]?.forEach((row, at) => row.forEach((x, j) => expect(Math.abs(x - (rows[1]?.[at]?.[j] ?? NaN))).toBeLessThan(1e-4))); // prettier-ignore
});

test("a decoder of codes is found to be its model, layer by layer", async ({ skip }) => {
  const model = shared("onnx/exports/v3-tiny-hf/model.onnx", skip);
  const [plan, exact] = [join(temp, "verified"), join(temp, "verified-exact")];
  const quantization = planQuantization(namedScheme("int8") ?? expect.fail("int8"));
  await write(plan, await emitOnnxDecoder(model, { quantization }));
  await write(exact, await emitOnnxDecoder(model, {}));
  const tracers = [plan, exact].map((dir) => openTracer(readPlan(dir))) as [Tracer, Tracer];
  const layers = await compareLayers(...tracers, [3, 1, 4, 1, 5, 9, 2, 6]);
  for (const tracer of tracers) await tracer.close();
  expect(layers.map((it) => it.layer).slice(0, 5)).toEqual([
    "model.embed_tokens",
    ...[0, 1, 2, 3].map((n) => `model.layers.${n}`),
  ]);
  expect(layers.filter((it) => it.beyond)).toEqual([]);
  expect(Math.max(...layers.map((it) => it.worst.error))).toBeGreaterThan(1e-3);
});

test.for([
  ["v2-lite-tiny-hf", "none"],
  ["v3-tiny-hf", "int8"],
])(
  "%s on two expert ranks, quantized to %s, gives what one rank gives; its plan has their texts",
  async ([name, quant], { skip }) => {
    const file = join(shared(`onnx/exports/${name}`, skip), "model.onnx");
    const scheme = schemeFrom(quant ?? "none");
    const options = scheme ? { quantization: planQuantization(scheme, "nearest") } : {};
    const [alone, spread] = [join(temp, `${name}-one`), join(temp, `${name}-two`)];
    await write(alone, await emitOnnxDecoder(file, options));
    const parallel = { mesh: parseMesh("ep2"), redundantExperts: 2 };
    await write(spread, await emitOnnxDecoder(file, { ...options, parallel }));
    expect(readFileSync(readPlan(spread).file("rank-1.mir"), "utf8")).toContain("dispatch(");
    const rows: Float32Array[][] = [[], []];
    for (const [i, dir] of [alone, spread].entries()) {
      const session = openSession(readPlan(dir), 1);
      for (const by of ["prefill", "decode"] as const) {
        session.restart();
        await session.feed([5, 17, 3, 88, 41, 9, 7], by, (logits) => rows[i]?.push(logits.slice()));
      }
      await session.close();
    }
    rows[0]?.forEach((row, at) =>
      row.forEach((x, i) => expect(Math.abs(x - (rows[1]?.[at]?.[i] ?? NaN))).toBeLessThan(1e-4)),
    );
  },
);

test("blocks of DeepSeek as graphs give the outputs of onnxruntime", async ({ skip }) => {
  const parent = shared("onnx/models", skip);
  for (const name of folders(parent)) {
    const folder = join(parent, name);
    const plan = await compiled(folder, name);
    const { inputs = [], outputs = [] } = plan.manifest.graph ?? {};
    const read = async (kind: string, values: typeof inputs) => {
      const tensors = new Map<string, Tensor>();
      for (const [i, value] of values.entries()) {
        const datum = await readDatum(join(folder, `test_data_set_0/${kind}_${i}.pb`), undefined);
        if (!datum || "length" in datum || datum.dtype === "string") throw new Error("test data are tensors");
        const data = Float64Array.from(elementsOf(datum));
        tensors.set(value.name, { dtype: datum.dtype, shape: datum.shape, data });
      }
      return tensors;
    };
    const results = runGraph(plan, await read("input", inputs));
    for (const [it, tensor] of await read("output", outputs))
      expect(largestDifference(results.get(it), tensor), `${name} ${it}`).toBeLessThan(1e-4);
  }
});
