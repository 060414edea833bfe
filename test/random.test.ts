import { expect, test } from "vitest";
import { createRandom, xoshiro128 } from "../src/support/random.ts";

test("xoshiro128** gives the numbers of its authors' C code", () => {
  const random = xoshiro128([1, 2, 3, 4]);
  const expected = [
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
  ];
  expect(expected.map(() => random.uint32())).toEqual(expected);
});

test("a seed repeats, another seed differs, and seed 0 works", () => {
  const first = (seed: number): number[] => Array.from({ length: 8 }, createRandom(seed).uint32);
  expect(first(7)).toEqual(first(7));
  expect(first(7)).not.toEqual(first(8));
  expect(new Set(first(0)).size).toBe(8);
});

test("floats lie in [0, 1) around a half, and small integers are even", () => {
  const random = createRandom(1);
  const floats = Array.from({ length: 10_000 }, () => random.float());
  expect(floats.every((x) => x >= 0 && x < 1)).toBe(true);
  expect(floats.reduce((a, b) => a + b) / floats.length).toBeCloseTo(0.5, 1);
  const counts = [0, 0, 0];
  for (let i = 0; i < 9000; i++) counts[random.below(3)]! += 1;
  for (const count of counts) expect(Math.abs(count - 3000)).toBeLessThan(200);
});
