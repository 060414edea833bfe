/** Kernels that only move and touch rows keep the memory busy: 85 % of its nominal rate at 4096 rows of 7168. */
import { describe, expect, test } from "vitest";
import type { Profile } from "../../../../src/machine/profile.ts";
import { microseconds } from "../../../../src/machine/rates.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { time } from "../../../../src/machine/simulate/time.ts";
import { copyRows, gatherRows } from "../../../../targets/device/kernels/vector/copy.ts";
import { add, roundRows, swiglu } from "../../../../targets/device/kernels/vector/elementwise.ts";
import { rmsNorm } from "../../../../targets/device/kernels/vector/norm.ts";
import { combineRows, permuteRows } from "../../../../targets/device/kernels/vector/permute.ts";
import { machines } from "../../../support/kernels/run-kernel.ts";

const [rows, width, topK] = [4096, 7168, 8];
const [f32, bf16] = [
  { dtype: "f32", width },
  { dtype: "bf16", width },
] as const;
const rounded = { rotation: 1 };

/** The share of the memory's nominal rate at which a kernel moves so many bytes a row. */
function share(kernel: Kernel, profile: Profile, bytes: number): number {
  let place = 0;
  const reader = (box: string): number => (box === "near" ? (place += 7919) % (rows * topK) : 1);
  const { cycles } = time(kernel, profile, { sizes: new Map([["S", rows]]), reader });
  return (rows * bytes) / (microseconds(profile, cycles) * 1e-6) / profile.memory.bytesPerSecond.value;
}

describe.each(machines)("on %s", (_, profile) => {
  test.each([
    ["a norm in bf16", rmsNorm(profile, { x: bf16, out: bf16, gain: "bf16", eps: 1e-6 }), 4 * width],
    ["a norm in float32", rmsNorm(profile, { x: f32, out: f32, gain: "f32", eps: 1e-6 }), 8 * width],
    ["a residual added, its norm in bf16", rmsNorm(profile, { x: bf16, residual: bf16, sum: bf16, out: bf16, gain: "bf16", eps: 1e-6 }), 8 * width], // prettier-ignore
    ["a residual added, its norm rounded", rmsNorm(profile, { x: f32, residual: f32, sum: f32, gain: "f32", eps: 1e-6, rounded }), 13 * width], // prettier-ignore
    ["a sum in bf16", add(profile, { a: bf16, b: bf16, out: bf16 }), 6 * width],
    ["swiglu in bf16", swiglu(profile, { a: bf16, b: bf16, out: bf16 }), 6 * width],
    ["swiglu rounded", swiglu(profile, { a: f32, b: f32, rounded }), 9 * width],
    ["rounding", roundRows(profile, f32, rounded), 5 * width],
    ["a cast", copyRows(profile, { from: f32, to: bf16 }), 6 * width],
    ["the embedding", gatherRows(profile, { table: "bf16", entries: 129280, out: bf16 }), 4 * width],
    [
      "rows to experts",
      permuteRows(profile, {
        x: bf16,
        topK,
        scaled: false,
        partial: false,
        blocks: { experts: 256, heights: [64] },
      }),
      (2 + 2 * topK) * width,
    ],
    [
      "rows from experts",
      combineRows(profile, { rows: "bf16", out: bf16, topK, partial: false }),
      (2 + 2 * topK) * width,
    ],
  ] as const)("%s", (_name, kernel, bytes) => {
    const found = share(kernel, profile, bytes);
    expect(found).toBeGreaterThan(0.85);
    expect(found).toBeLessThan(1.01 * profile.memory.sustained.value);
  });
});

test("what every core reads of the same, before its loops, comes from memory once", () => {
  const profile = machines[0]?.[1];
  if (!profile) throw new Error("there is a machine");
  const kernel = add(profile, { a: { dtype: "i32", width, isSums: true }, b: bf16, out: bf16 });
  const moved = (tokens: number): number =>
    time(kernel, profile, { sizes: new Map([["S", tokens]]) }).memoryBytes;
  const scales = 4 * width;
  // A row is its sums and their scale, what is added to it, and the result.
  expect(moved(4096)).toBeCloseTo(scales + 4096 * (8 * width + 4), -3);
});
