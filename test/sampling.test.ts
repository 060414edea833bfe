import { describe, expect, test } from "vitest";
import { greedy, sample } from "../src/runtime/sampling.ts";
import { createRandom } from "../src/support/random.ts";

/** How often each token is drawn in 20,000 draws. */
function shares(logits: readonly number[], temperature: number, topP: number): number[] {
  const random = createRandom(3);
  const counts = logits.map(() => 0);
  for (let i = 0; i < 20_000; i++) counts[sample(logits, { temperature, topP }, random)]! += 1;
  return counts.map((it) => it / 20_000);
}

describe("greedy", () => {
  test("takes the lowest index of equals and never NaN", () => {
    expect(greedy([1, 3, 3, 2])).toBe(1);
    expect(greedy([NaN, -Infinity, -1])).toBe(2);
    expect(greedy(new Float32Array([-Infinity, -Infinity]))).toBe(0);
    expect(() => greedy([NaN])).toThrow("NaN");
  });
  test("is what temperature 0 means", () => {
    expect(sample([0, 5, 5], { temperature: 0, topP: 0.1 }, createRandom(0))).toBe(1);
  });
});

describe("sampling", () => {
  const p = [0.5, 0.3, 0.15, 0.05];
  const logits = p.map(Math.log);
  test("draws in proportion to the softmax", () => {
    for (const [i, share] of shares(logits, 1, 1).entries()) expect(share).toBeCloseTo(p[i]!, 1.7);
  });
  test("a temperature of a half squares the proportions", () => {
    const total = p.reduce((sum, x) => sum + x * x, 0);
    for (const [i, share] of shares(logits, 0.5, 1).entries())
      expect(share).toBeCloseTo((p[i]! * p[i]!) / total, 1.7);
  });
  test("top-p keeps the fewest tokens that reach the sum", () => {
    const [a, b, c, d] = shares(logits, 1, 0.6);
    expect([c, d]).toEqual([0, 0]);
    expect(a).toBeCloseTo(0.625, 1.7);
    expect(b).toBeCloseTo(0.375, 1.7);
    expect(shares(logits, 1, 0)).toEqual([1, 0, 0, 0]);
  });
  test("a seed repeats itself", () => {
    const draws = (seed: number): number[] => {
      const random = createRandom(seed);
      return Array.from({ length: 50 }, () => sample(logits, { temperature: 1, topP: 0.95 }, random));
    };
    expect(draws(5)).toEqual(draws(5));
    expect(draws(5)).not.toEqual(draws(6));
  });
  test("tokens masked with -Infinity are never drawn", () => {
    expect(shares([-Infinity, 0, -Infinity, 0], 1, 1)).toEqual([
      0,
      expect.any(Number),
      0,
      expect.any(Number),
    ]);
  });
});
