/** A device's plan says where in memory each buffer lies: a runtime needs nothing else to make room for them. */
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseMesh } from "../../../src/cluster/mesh.ts";
import { emit, lowerModel, write, type CompileOptions } from "../../../src/driver/compile.ts";
import { planQuantization, schemeFrom } from "../../../src/driver/quantize.ts";
import { profileOf } from "../../../src/driver/target.ts";
import { fractalShape, spaceOf } from "../../../src/machine/rates.ts";
import { globalSpace } from "../../../src/machine/profile.ts";
import { noMemory } from "../../../src/plan/manifest.ts";
import { isLaunch, mostSize, scheduleFile, type DeviceProgram } from "../../../src/plan/program/device.ts";
import { deviceSpans, workspaceOf } from "../../../src/plan/program/live.ts";
import { readPlan, type Plan } from "../../../src/plan/read-plan.ts";
import { loadDevice, type Loaded } from "../../../src/runtime/device/device.ts";
import { byteLength, dtypes, isDType } from "../../../src/tensor/dtype.ts";
import { root } from "../../support/moec.ts";
import { tempFolder } from "../../support/temp.ts";

const folder = tempFolder();
const tiny = join(root, "fixtures/tiny/v3");
const context = 64;
const batchTokens = 37; // rows that fill no whole fractals

function optionsFor(machine: string, quant: string, mesh: string): CompileOptions {
  const scheme = schemeFrom(quant);
  return {
    context,
    batchTokens,
    device: { profile: profileOf(machine), tiles: new Map(), trials: 1, verified: new Set() },
    parallel: { mesh: parseMesh(mesh), redundantExperts: 0 },
    ...(scheme && { quantization: planQuantization(scheme, "nearest") }),
  };
}

async function planFor(machine: string, quant: string, mesh: string): Promise<Plan> {
  const options = optionsFor(machine, quant, mesh);
  const dir = mkdtempSync(join(folder, "plan-"));
  const plan = join(dir, "plan");
  await write(plan, emit(lowerModel(tiny, options), options));
  return readPlan(plan);
}

/** Buffers that a program's kernels take as fractals. */
function inFractals({ steps }: DeviceProgram, { kernels }: Loaded): ReadonlySet<string> {
  const names = steps.filter(isLaunch).flatMap(({ kernel, operands }) => {
    const lying = kernels.get(kernel)?.tensors.filter((it) => it.fractal) ?? [];
    return operands.filter((it) => lying.some(({ name }) => name === it.tensor)).map((it) => it.name);
  });
  return new Set(names);
}

/** Buffers with less room than they fill in the largest call, or not where transfers begin. */
function misplaced(program: DeviceProgram, loaded: Loaded): readonly string[] {
  const [most, fractal] = [mostSize(program, context), inFractals(program, loaded)];
  const wrong = program.buffers.filter(({ name, dtype, rows, cols, at, bytes }) => {
    const [high = 1] = fractalShape(spaceOf(loaded.profile, globalSpace), dtypes[dtype].bits) ?? [];
    const whole = fractal.has(name) ? Math.ceil(most(rows) / high) * high : most(rows);
    return at % 512 !== 0 || bytes < byteLength(dtype, whole * cols);
  });
  return wrong.map((it) => it.name);
}

/** Pairs of buffers that lie over one another while both are needed. */
function clashes(program: DeviceProgram): readonly string[] {
  const spans = deviceSpans(program);
  const live = program.buffers.map((it) => ({ ...it, span: spans.get(it.name) ?? [0, 0] }));
  return live.flatMap((a, i) =>
    live.slice(0, i).flatMap((b) => {
      const isTogether = a.span[0] <= b.span[1] && b.span[0] <= a.span[1];
      return isTogether && a.at < b.at + b.bytes && b.at < a.at + a.bytes ? [`${a.name} ${b.name}`] : [];
    }),
  );
}

describe.each([
  ["ascend-910b3", "none", "tp1"],
  ["ascend-910b3", "w8a8", "dp2xep2"],
  ["ascend-310p", "none", "tp2"],
  ["biren-br100", "int4-g32", "pp2"],
])("in a plan for %s in %s on %s", (machine, quant, mesh) => {
  test("every buffer has room of its own for as long as it is needed, within the workspace", async () => {
    const plan = await planFor(machine, quant, mesh);
    for (const [rank, { memory }] of plan.manifest.ranks.entries()) {
      const loaded = loadDevice(plan, rank);
      const { programs } = loaded.device;
      expect(Math.max(...programs.map(workspaceOf))).toBe(memory.workspace);
      for (const program of programs) {
        const names = program.buffers.map((it) => it.name);
        expect(names.toSorted()).toEqual([...deviceSpans(program).keys()].sort()); // all that steps, inputs and results name
        expect(misplaced(program, loaded)).toEqual([]);
        expect(clashes(program)).toEqual([]);
      }
    }
  });
});

/** The bytes that a kernel's text calls `shared`, of one core group. */
function sharedBytes(text: string): number {
  const declared = text.matchAll(/^ *tensor \w+: (\w+)\[([\d, ]+)\] shared$/gm);
  return [...declared].reduce((sum, [, dtype = "", dims = ""]) => {
    const elements = dims.split(",").reduce((n, d) => n * Number(d), 1);
    return sum + (isDType(dtype) ? byteLength(dtype, elements) : NaN);
  }, 0);
}

describe("scratch that the cores of a group pass tiles through", () => {
  test.each([
    ["ascend-910b3", "none"],
    ["ascend-910b3", "int4-g32"],
    ["ascend-310p", "none"],
    ["biren-br100", "w8a8"],
  ])(
    "on %s in %s is counted once for all kernels, as much as every group needs in the largest",
    async (machine, quant) => {
      const plan = await planFor(machine, quant, "tp1");
      const { kernels, profile } = loadDevice(plan);
      const texts = [...kernels.keys()].map((it) => readFileSync(plan.file(scheduleFile(it)), "utf8"));
      const needed = profile.groups.value * Math.max(...texts.map(sharedBytes));
      const { scratch } = plan.manifest.ranks[0]?.memory ?? noMemory;
      expect(scratch).toBeGreaterThanOrEqual(needed);
      expect(scratch - needed).toBeLessThan(profile.groups.value * 512 * 4); // what tensors are apart
    },
  );

  test("decides whether a plan fits, and is named among what weighs most", () => {
    const options = optionsFor("ascend-910b3", "none", "tp1");
    const lowered = lowerModel(tiny, options);
    const within = (memoryPerRank: number) =>
      emit(lowered, { ...options, memoryPerRank }).parts.head.ranks.map((it) => it.memory);
    const [memory = noMemory] = within(Infinity);
    const { scratch, ...others } = memory;
    const besides = Object.values(others).reduce((n, it) => n + it, 0);
    expect(within(besides + scratch)).toEqual([memory]);
    expect(() => within(besides + scratch - 1)).toThrow(/cluster\/memory.* scratch \d/s);
  });
});

test("rows in fractals have room for whole ones", async () => {
  const loaded = loadDevice(await planFor("ascend-910b3", "none", "tp1"));
  const [prefill] = loaded.device.programs;
  const lying = prefill && inFractals(prefill, loaded);
  const found = prefill?.buffers.filter((it) => lying?.has(it.name) && it.rows.dim === "S") ?? [];
  expect(found.length).toBeGreaterThan(0);
  for (const { dtype, rows, cols, bytes } of found)
    expect(bytes).toBeGreaterThanOrEqual(byteLength(dtype, 48 * rows.times * cols)); // 37 rows in fractals of 16
});
