/** Buffers of a device's plan share room by when they are needed: what they hold at other times is of no account. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { emit, lowerModel, write, type CompileOptions } from "../../src/driver/compile.ts";
import { planQuantization, schemeFrom } from "../../src/driver/quantize.ts";
import { profileOf } from "../../src/driver/target.ts";
import { mostSize, type DeviceProgram } from "../../src/plan/program/device.ts";
import { deviceSpans, placeLive } from "../../src/plan/program/live.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { createDevice, type Device } from "../../src/runtime/device/device.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder();
const context = 64;
const ids = [3, 17, 60, 5, 42, 8, 8, 29];

/** Fill every buffer that nothing of `program` needs between a step and the next. */
function spoil(device: Device, program: DeviceProgram, step: number): void {
  const [spans, most] = [deviceSpans(program), mostSize(program, context)];
  for (const { name, dtype, rows, cols } of program.buffers) {
    const [first, last] = spans.get(name) ?? [Infinity, Infinity];
    if (first <= step && step < last) continue;
    const isFloat = dtype === "f32" || dtype === "bf16" || dtype === "f16";
    device.write(program.name, name, new Float32Array(most(rows) * cols).fill(isFloat ? NaN : 77));
  }
}

describe.each(["ascend-910b3", "biren-br100"])("on %s", (machine) => {
  test.each(["none", "w8a8", "int4-g32"])("v3 in %s gives the same whatever lies there", async (name) => {
    const scheme = schemeFrom(name); // undefined for none
    const device = { profile: profileOf(machine), tiles: new Map(), trials: 1, verified: new Set<string>() };
    const options: CompileOptions = {
      context,
      batchTokens: 32,
      caches: "int8",
      device,
      ...(scheme && { quantization: planQuantization(scheme, "nearest") }),
    };
    const dir = join(folder, `${machine}-${name}`);
    await write(dir, emit(lowerModel("fixtures/tiny/v3", options), options));
    const [plain, spoilt] = [createDevice(readPlan(dir)), createDevice(readPlan(dir))];
    for (const phase of ["prefill", "decode"]) {
      const program = plain.program(phase);
      const past = phase === "decode" ? ids.length : 0;
      const given = ids.slice(0, program.maxTokens);
      spoil(spoilt, program, -1);
      const { logits } = spoilt.run(phase, given, past, (step) => spoil(spoilt, program, step));
      expect(logits).toEqual(plain.run(phase, given, past).logits);
      expect(logits.every(Number.isFinite)).toBe(true);
    }
  });
});

test("what is needed at once lies apart, and what is not over one another", () => {
  const live = [
    { name: "a", bytes: 100, span: [0, 1] },
    { name: "b", bytes: 60, span: [1, 2] },
    { name: "c", bytes: 80, span: [2, 3] },
  ] as const;
  const { at, end } = placeLive(live, 0);
  expect([...at]).toEqual([["a", 0], ["c", 0], ["b", 100]]); // prettier-ignore
  expect(end).toBe(160);
});
