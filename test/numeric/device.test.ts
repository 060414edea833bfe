/** Plans for devices, run on the simulated device: held to golden logits and to the plans of the CPU. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { emit, lowerModel, write, type CompileOptions } from "../../src/driver/compile.ts";
import { planQuantization, schemeFrom } from "../../src/driver/quantize.ts";
import { profileOf } from "../../src/driver/target.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { openSession, type Feeding } from "../../src/runtime/session.ts";
import { readGolden } from "../support/checkpoints.ts";

const room = mkdtempSync(join(tmpdir(), "moec-device-"));
afterAll(() => rmSync(room, { recursive: true }));

let made = 0;
async function compiled(checkpoint: string, options: CompileOptions): Promise<string> {
  const dir = join(room, `${++made}`);
  await write(dir, emit(lowerModel(checkpoint, options), { context: 64, batchTokens: 32, ...options }));
  return dir;
}

const onCpu = new Map<string, Promise<string>>();
/** The CPU's plan, compiled once for all machines. */
function cpuPlan(checkpoint: string, scheme: string, options: CompileOptions = {}): Promise<string> {
  const key = JSON.stringify([checkpoint, scheme, options]);
  const known = onCpu.get(key) ?? compiled(checkpoint, { ...quantized(scheme), ...options });
  onCpu.set(key, known);
  return known;
}

/** Logits of every position, row by row; the last `decoded` ids are fed one by one behind the others. */
async function logitsOf(
  dir: string,
  ids: readonly number[],
  by: Feeding,
  decoded = 0,
): Promise<Float32Array> {
  const session = openSession(readPlan(dir), 1);
  const rows: Float32Array[] = [];
  const keep = (row: Float32Array): void => void rows.push(Float32Array.from(row));
  const first = ids.length - decoded;
  await session.feed(ids.slice(0, first), by, keep);
  await session.feed(ids.slice(first), "decode", keep);
  await session.close();
  const all = new Float32Array(rows.length * session.vocab);
  rows.forEach((row, i) => all.set(row, i * session.vocab));
  return all;
}

const farthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? NaN))), 0);

const quantized = (name: string): CompileOptions => {
  const scheme = schemeFrom(name); // undefined for none
  return scheme ? { quantization: planQuantization(scheme, "nearest") } : {};
};

const machines = ["ascend-910b3", "biren-br100"];
const checkpoints = ["fixtures/tiny/v3", "fixtures/deep/r1-0528-qwen3-tiny"];
/** Biases, one head of keys, groups of experts by their greatest, halves rotated, no groups, tied heads. */
const unusual = ["llama-biases", "qwen2-one-kv-head", "v2-groups", "v3-halves-bias", "v3-no-groups"];

describe.each(machines)("on %s", (machine) => {
  const device = { profile: profileOf(machine), tiles: new Map(), trials: 1, verified: new Set<string>() };

  test.each(checkpoints)(
    "%s in bf16 gives the golden logits within what bf16 can tell",
    async (checkpoint) => {
      const golden = readGolden(checkpoint);
      const prompt = golden.prompts[0] ?? [];
      const dir = await compiled(checkpoint, { device });
      const expected = golden.logits(0);
      const scale = Math.sqrt(expected.reduce((n, x) => n + x * x, 0) / expected.length);
      for (const by of ["prefill", "decode"] as const) {
        const found = await logitsOf(dir, prompt, by);
        const error = Math.sqrt(
          found.reduce((n, x, i) => n + (x - (expected[i] ?? NaN)) ** 2, 0) / found.length,
        );
        expect(error / scale).toBeLessThan(0.05);
      }
    },
  );

  test.each(["w8a8", "w4a8"])("v3 in %s gives the bits of the CPU's plan", async (scheme) => {
    // More than a block of keys, so that attention goes over to a new largest score.
    const ids = Array.from({ length: 69 }, (_, i) => (i * i + 3 * i) % 320);
    const options = { context: 72, batchTokens: 66 };
    const cpu = await cpuPlan("fixtures/tiny/v3", scheme, options);
    const own = await compiled("fixtures/tiny/v3", { ...quantized(scheme), ...options, device });
    expect(farthest(await logitsOf(own, ids, "prefill", 3), await logitsOf(cpu, ids, "prefill", 3))).toBe(0);
  });

  test.each(["int8", "int4-g32"])("v3 in %s gives the logits of the CPU's plan", async (scheme) => {
    const ids = [3, 17, 60, 5, 42, 8, 8, 29];
    const cpu = await cpuPlan("fixtures/tiny/v3", scheme);
    const own = await compiled("fixtures/tiny/v3", { ...quantized(scheme), device });
    for (const by of ["prefill", "decode"] as const)
      expect(farthest(await logitsOf(own, ids, by), await logitsOf(cpu, ids, by))).toBeLessThan(1e-4);
  });

  test.each(unusual.flatMap((name) => [[name, "int8", 1e-4] as const, [name, "w8a8", 0] as const]))(
    "%s in %s gives the logits of the CPU's plan within %d",
    async (name, scheme, tolerance) => {
      const checkpoint = `fixtures/variants/${name}`;
      const ids = readGolden(checkpoint).prompts[0]?.slice(0, 4) ?? [];
      const cpu = await cpuPlan(checkpoint, scheme);
      const own = await compiled(checkpoint, { ...quantized(scheme), device });
      const [found, expected] = [
        await logitsOf(own, ids, "prefill", 2),
        await logitsOf(cpu, ids, "prefill", 2),
      ];
      expect(farthest(found, expected)).toBeLessThanOrEqual(tolerance);
    },
  );
});

const ids = [3, 17, 60, 5, 42, 8, 8, 29];
const onMachine = (name: string) => ({
  profile: profileOf(name),
  tiles: new Map(),
  trials: 1,
  verified: new Set<string>(),
});

test("the 310P, which has no bf16, gives the CPU's logits of v3 within what f16 can tell", async () => {
  const cpu = await logitsOf(await compiled("fixtures/tiny/v3", {}), ids, "prefill");
  const found = await compiled("fixtures/tiny/v3", { device: onMachine("ascend-310p") });
  for (const by of ["prefill", "decode"] as const)
    expect(farthest(await logitsOf(found, ids, by), cpu)).toBeLessThan(0.03);
});

test.each([
  ["biren-br100", "fixtures/tiny/v3"],
  ["ascend-910b3", "fixtures/variants/qwen2-one-kv-head"],
])("on %s, caches of %s in int8 give the logits of the CPU's plan", async (machine, checkpoint) => {
  const options = { ...quantized("w8a8"), caches: "int8" } as const;
  const cpu = await compiled(checkpoint, options);
  const own = await compiled(checkpoint, { ...options, device: onMachine(machine) });
  for (const by of ["prefill", "decode"] as const)
    expect(farthest(await logitsOf(own, ids, by), await logitsOf(cpu, ids, by))).toBeLessThan(1e-4);
});

test("the 950, which reads no codes of four bits, has them a byte each", async () => {
  const device = onMachine("ascend-950pr");
  const [own, other] = [device, onMachine("ascend-910b3")].map((it) => emit(lowerModel("fixtures/tiny/v3", quantized("int4")), { ...quantized("int4"), device: it, context: 64 })); // prettier-ignore
  const codes = (of: typeof own, dtype: string) =>
    of?.parts.weights.filter((it) => it.dtype === dtype).length;
  expect([codes(own, "i4"), codes(other, "i8")]).toEqual([0, 0]);
  expect(codes(own, "i8")).toBe(codes(other, "i4"));
  const cpu = await logitsOf(await compiled("fixtures/tiny/v3", quantized("int4")), ids, "prefill");
  const found = await compiled("fixtures/tiny/v3", { ...quantized("int4"), device });
  expect(farthest(await logitsOf(found, ids, "prefill"), cpu)).toBeLessThan(1e-4);
});

test.each(["float", "int8"] as const)(
  "mxfp4 beside activations of %s gives the logits of the CPU's plan",
  async (activations) => {
    const scheme = { ...(schemeFrom("mxfp4") ?? expect.fail("no such scheme")), activations };
    const options = { quantization: planQuantization(scheme, "nearest") };
    const cpu = await logitsOf(await compiled("fixtures/tiny/v3", options), ids, "prefill");
    const found = await compiled("fixtures/tiny/v3", { ...options, device: onMachine("biren-br100") });
    expect(farthest(await logitsOf(found, ids, "prefill"), cpu)).toBeLessThan(1e-4);
  },
);

test("what would not run on a chip is not written: the verifier says why", () => {
  const profile = profileOf("biren-br100");
  const perPair = { ...profile.flags.perPair, value: 5 };
  const device = {
    ...onMachine("biren-br100"),
    profile: { ...profile, flags: { ...profile.flags, perPair } },
  };
  expect(() => emit(lowerModel("fixtures/tiny/v3", { device }), { device })).toThrow(
    /target.schedule.* has 5 such flags/,
  );
});

test("a chip that multiplies no floats is refused with a word on them", () => {
  const profile = profileOf("ascend-310p");
  const rates = profile.matrix.rates.filter((it) => it.a !== "f16");
  const device = {
    ...onMachine("ascend-310p"),
    profile: { ...profile, matrix: { ...profile.matrix, rates } },
  };
  expect(() => emit(lowerModel("fixtures/tiny/v3", { device }), { device })).toThrow(
    /none of bf16, f16 and f32/,
  );
});
