/** The peaks of a profile are those that are published. */
import { expect, test } from "vitest";
import { peakMatrixOps, peakVectorBytes } from "../../src/machine/rates.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { profiles } from "../../targets/index.ts";

const profile = (name: string) => {
  const found = profiles.find((it) => it.name === name);
  if (!found) throw new Error(`there is no profile ${name}`);
  return found;
};

/** Published operations a second, in 10^12. */
const published: readonly (readonly [string, DType, number, string])[] = [
  ["ascend-910b1", "f16", 363.7, "msprof of CANN 8.5"],
  ["ascend-910b1", "bf16", 363.7, "msprof of CANN 8.5"],
  ["ascend-910b1", "i8", 727.4, "msprof of CANN 8.5"],
  ["ascend-910b1", "i4", 1454.9, "msprof of CANN 8.5"],
  ["ascend-910b2", "bf16", 353.9, "msmodeling"],
  ["ascend-910b3", "bf16", 294.9, "msmodeling"],
  ["ascend-910b4", "bf16", 245.8, "msmodeling"],
  ["biren-br100", "f32", 512, "Hot Chips 34, TF32+"],
  ["biren-br100", "bf16", 1024, "Hot Chips 34"],
  ["biren-br100", "i8", 2048, "Hot Chips 34"],
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

test("vector units reach their published rates", () => {
  const additionsOfF16 = peakVectorBytes(profile("ascend-910b1")) / 2;
  expect(Math.abs(additionsOfF16 / 11.37e12 - 1)).toBeLessThan(0.01);
  const flopsOfF32 = (2 * peakVectorBytes(profile("biren-br100"))) / 4;
  expect(Math.abs(flopsOfF32 / 256e12 - 1)).toBeLessThan(0.01);
});
