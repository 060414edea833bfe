/** The peaks of a profile are those that are published. */
import { expect, test } from "vitest";
import {
  canArrange,
  canConvert,
  coreCount,
  fractalShape,
  matrixCycles,
  matrixRate,
  memoryBytesPerCycle,
  pathBetween,
  peakMatrixOps,
  peakVectorBytes,
  route,
  spaceOf,
  usableBytes,
} from "../../../src/machine/rates.ts";
import type { DType } from "../../../src/tensor/dtype.ts";
import { profiles } from "../../../targets/index.ts";

const profile = (name: string) => {
  const found = profiles.find((it) => it.name === name);
  if (!found) throw new Error(`there is no profile ${name}`);
  return found;
};

/** Published operations a second, in 10^12. */
const published: readonly (readonly [string, DType, number, string])[] = [
  ["ascend-310p", "f16", 70, "press, half of an Atlas 300I Duo"],
  ["ascend-310p", "i8", 140, "press, half of an Atlas 300I Duo"],
  ["ascend-910b1", "f16", 363.7, "msprof of CANN 8.5"],
  ["ascend-910b1", "bf16", 363.7, "msprof of CANN 8.5"],
  ["ascend-910b1", "i8", 727.4, "msprof of CANN 8.5"],
  ["ascend-910b1", "i4", 1454.9, "msprof of CANN 8.5"],
  ["ascend-910b2", "bf16", 353.9, "msmodeling"],
  ["ascend-910b3", "bf16", 294.9, "msmodeling"],
  ["ascend-910b4", "bf16", 245.8, "msmodeling"],
  ["ascend-950pr", "bf16", 378.5, "28 cores of its configuration"],
  ["ascend-950pr", "i8", 757, "28 cores of its configuration"],
  ["biren-br100", "f32", 512, "Hot Chips 34, TF32+"],
  ["biren-br100", "bf16", 1024, "Hot Chips 34"],
  ["biren-br100", "i8", 2048, "Hot Chips 34"],
  ["biren-br104", "f32", 256, "Hot Chips 34, TF32+"],
  ["biren-br104", "bf16", 512, "Hot Chips 34"],
  ["biren-br104", "i8", 1024, "Hot Chips 34"],
];

test.each(published)("%s calculates %s at its published peak of %d T/s (%s)", (name, dtype, tera) => {
  const ratio = peakMatrixOps(profile(name), dtype) / (tera * 1e12);
  expect(Math.abs(ratio - 1)).toBeLessThan(0.01);
});

/** Nominal figures that more than the usable cores at the known clock would be needed for. */
test.each([
  ["ascend-910b2", "f16", 376],
  ["ascend-910b3", "f16", 313],
  ["ascend-910b4", "f16", 280],
] as const)("%s falls short of its nominal %s figure of %d T/s", (name, dtype, tera) => {
  const ratio = peakMatrixOps(profile(name), dtype) / (tera * 1e12);
  expect(ratio).toBeGreaterThan(0.87);
  expect(ratio).toBeLessThan(0.95);
});

test("the 910C's published 376 T/s a die count the 25 cores of the die, of which 24 can be used", () => {
  const ratio = ((25 / 24) * peakMatrixOps(profile("ascend-910c"), "bf16")) / 376e12;
  expect(Math.abs(ratio - 1)).toBeLessThan(0.01);
});

test("the 950's petaflops of fp8 are those of 36 cores, of which a PR_9579 has 28", () => {
  const ratio = ((36 / 28) * peakMatrixOps(profile("ascend-950pr"), "f8e4m3")) / 1e15;
  expect(Math.abs(ratio - 1)).toBeLessThan(0.03);
});

test("what a matrix unit does not take has no peak", () => {
  expect(peakMatrixOps(profile("ascend-310p"), "bf16")).toBe(0);
  expect(peakMatrixOps(profile("ascend-910b3"), "f8e4m3")).toBe(0);
  expect(peakMatrixOps(profile("ascend-950pr"), "i4")).toBe(0);
});

test("vector units reach their published rates", () => {
  const additionsOfF16 = peakVectorBytes(profile("ascend-910b1")) / 2;
  expect(Math.abs(additionsOfF16 / 11.37e12 - 1)).toBeLessThan(0.01);
  const flopsOfF32 = (2 * peakVectorBytes(profile("biren-br100"))) / 4;
  expect(Math.abs(flopsOfF32 / 256e12 - 1)).toBeLessThan(0.01);
});

test("full load stays below what the boards are given", () => {
  const board = new Map([
    ["ascend-310p", 75],
    ["ascend-910b1", 400],
    ["ascend-910b3", 400],
    ["biren-br100", 550],
    ["biren-br104", 300],
  ]);
  for (const [name, watts] of board) {
    const it = profile(name);
    const byteOf = (space: string) =>
      it.energy.accesses.find((a) => a.space === space)?.picojoules.value ?? 0;
    const load = it.energy.macs.map(
      ({ dtype, picojoules }) => (peakMatrixOps(it, dtype) / 2) * picojoules.value * 1e-12,
    );
    const memory = it.memory.bytesPerSecond.value * byteOf("gm") * 1e-12;
    const l2 = it.memory.l2BytesPerCycle.value * it.clock.value * 1e6 * it.energy.l2.value * 1e-12;
    expect(Math.max(...load) + memory + l2 + it.energy.watts.value, name).toBeLessThan(watts);
  }
});

const b3 = profile("ascend-910b3");

test("a 910B3 has 20 cube cores, 40 vector cores and 889 bytes of memory a cycle", () => {
  expect([coreCount(b3, "cube"), coreCount(b3, "vector"), coreCount(b3, "spc")]).toEqual([20, 40, 0]);
  expect(Math.round(memoryBytesPerCycle(b3))).toBe(889);
});

test("a space keeps back what is reserved", () => {
  expect(usableBytes(spaceOf(b3, "ub"))).toBe(184 * 1024);
  expect(usableBytes(spaceOf(b3, "l1"))).toBe(511.5 * 1024);
  expect(() => spaceOf(b3, "l3")).toThrow("ascend-910b3 has no space l3");
});

test("a fragment is 16 x 16 of f16, 16 x 32 of i8, and 16 x 16 accumulators", () => {
  expect(fractalShape(spaceOf(b3, "l1"), 16)).toEqual([16, 16]);
  expect(fractalShape(spaceOf(b3, "l1"), 8)).toEqual([16, 32]);
  expect(fractalShape(spaceOf(b3, "l0c"), 32)).toEqual([16, 16]);
  expect(fractalShape(spaceOf(profile("biren-br100"), "l1"), 16)).toBeUndefined();
});

test("matrix work takes whole fragments: CATLASS's 128 x 256 x 64 of f16 is 512 cycles", () => {
  const [f16, i8] = [matrixRate(b3, "f16"), matrixRate(b3, "i8")];
  if (!f16 || !i8) throw new Error("a 910B3 multiplies f16 and i8");
  expect(matrixCycles(f16, 128, 256, 64)).toBe(512);
  expect(matrixCycles(i8, 128, 256, 128)).toBe(512);
  expect(matrixCycles(f16, 1, 256, 60)).toBe(matrixCycles(f16, 16, 256, 64));
});

test("data goes the way the split core has: through L1 to the cube, through memory to the vector cores", () => {
  const way = (from: string, to: string) => route(b3, from, to)?.map((it) => `${it.engine} ${it.to}`);
  expect(way("gm", "l0b")).toEqual(["mte2 l1", "mte1 l0b"]);
  expect(way("l0c", "ub")).toEqual(["fix gm", "mte2 ub"]);
  expect(way("gm", "gm")).toEqual([]);
  expect(way("gm", "l0c")).toBeUndefined();
  const fused = profile("ascend-310p");
  expect(route(fused, "l0c", "ub")?.map((it) => it.engine)).toEqual(["vec"]);
  expect(route(profile("ascend-950pr"), "l0c", "ub")?.map((it) => it.engine)).toEqual(["fix"]);
});

test("FixPipe turns i32 into f16 but not into bf16, and nz into nd", () => {
  const store = pathBetween(b3, "l0c", "gm");
  if (!store) throw new Error("a 910B3 stores accumulators");
  expect(canConvert(store, "i32", "f16")).toBe(true);
  expect(canConvert(store, "i32", "bf16")).toBe(false);
  expect(canConvert(store, "f32", "bf16")).toBe(true);
  expect(canConvert(store, "i32", "i32")).toBe(true);
  expect(canArrange(store, "nz", "nd")).toBe(true);
  expect(canArrange(store, "nd", "nd")).toBe(false);
});
