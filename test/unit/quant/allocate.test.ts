/** Choosing formats within a budget. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { allocate, type Option } from "../../../src/quant/allocate.ts";

const options = fc.array(
  fc.record({ bits: fc.integer({ min: 1, max: 20 }), error: fc.double({ min: 0, max: 10, noNaN: true }) }),
  { minLength: 1, maxLength: 4 },
);
const things = fc.array(options, { minLength: 1, maxLength: 4 });
const total = (of: readonly (readonly Option[])[], chosen: readonly number[], key: keyof Option): number =>
  of.reduce((sum, it, i) => sum + (it[chosen[i] ?? 0]?.[key] ?? 0), 0);

/** Every way to choose. */
const all = (of: readonly (readonly Option[])[]): number[][] =>
  of.reduce<number[][]>((ways, it) => ways.flatMap((way) => it.map((_, i) => [...way, i])), [[]]);

test("a choice keeps to the budget, and there is one where any is small enough", () => {
  fc.assert(
    fc.property(things, fc.integer({ min: 1, max: 60 }), (of, budget) => {
      const chosen = allocate(of, budget);
      const least = of.reduce((sum, it) => sum + Math.min(...it.map((o) => o.bits)), 0);
      expect(chosen !== undefined).toBe(least <= budget);
      if (chosen) expect(total(of, chosen, "bits")).toBeLessThanOrEqual(budget);
    }),
  );
});

test("no other choice of as few bits has a smaller error, where the budget is used up", () => {
  fc.assert(
    fc.property(things, fc.integer({ min: 1, max: 60 }), (of, budget) => {
      const chosen = allocate(of, budget);
      if (!chosen || total(of, chosen, "bits") !== budget) return;
      const best = Math.min(
        ...all(of).flatMap((way) => (total(of, way, "bits") <= budget ? [total(of, way, "error")] : [])),
      );
      const steps = of.flatMap((it) => it.map((o) => o.error));
      // A step that found no room may have left one choice short of the best.
      expect(total(of, chosen, "error")).toBeLessThanOrEqual(best + Math.max(...steps));
    }),
  );
});

test("what saves the most error a bit comes first", () => {
  const dear = [
    { bits: 4, error: 8 },
    { bits: 8, error: 1 },
  ];
  const cheap = [
    { bits: 4, error: 2 },
    { bits: 8, error: 1 },
  ];
  expect(allocate([dear, cheap], 12)).toEqual([1, 0]);
  expect(allocate([dear, cheap], 16)).toEqual([1, 1]);
  expect(allocate([dear, cheap], 7)).toBeUndefined();
});
