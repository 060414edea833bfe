/** Which copies tokens take: the fewest places, its own first. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { copiesOver } from "../../../src/ir/copies.ts";
import { destinationsOf } from "../../../src/ir/dispatch.ts";

type At = readonly (readonly number[])[];

const over = (at: At, places: number) => {
  const copies = copiesOver(at.length, places);
  at.forEach((it, expert) => copies.locate(expert, it));
  return copies;
};

describe("a token's messages", () => {
  const at = [[0], [0], [1], [0, 1], [1, 2], [0, 2]];
  const messages = (...experts: readonly number[]) => over(at, 3).messages(experts, 0, experts.length);
  test("are one for each other place that an expert is in alone", () => {
    expect(messages(0, 1)).toBeCloseTo(2 / 3, 12); // none from the place itself, one from the others
    expect(messages(0, 2)).toBeCloseTo(4 / 3, 12);
  });
  test("leave out what is at home, or where the token goes anyway", () => {
    expect(messages(0, 3)).toBeCloseTo(2 / 3, 12);
    expect(messages(4)).toBeCloseTo(1 / 3, 12);
  });
  test("count a place once for all that is had there", () => {
    expect(messages(4, 5)).toBeCloseTo(2 / 3, 12); // place 2 has both; 0 and 1 lack one each
  });
});

/** Places, where experts are, and some of the experts. */
const arbitrary = fc.integer({ min: 1, max: 40 }).chain((places) =>
  fc.record({
    places: fc.constant(places),
    at: fc.array(fc.uniqueArray(fc.nat(places - 1), { minLength: 1, maxLength: Math.min(places, 4) }), {
      minLength: 4,
      maxLength: 9,
    }),
    home: fc.nat(places - 1),
    turn: fc.nat(100),
    picked: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 3 }),
  }),
);

/** The fewest places other than `home` that together have all experts, by trying. */
function fewest(lists: At, home: number): number {
  const [first, ...rest] = lists.filter((it) => !it.includes(home));
  if (!first) return 0;
  return (
    1 +
    Math.min(
      ...first.map((place) =>
        fewest(
          rest.filter((it) => !it.includes(place)),
          home,
        ),
      ),
    )
  );
}

test("copies are chosen at home, and else in the fewest other places, as messages count them", () => {
  fc.assert(
    fc.property(arbitrary, ({ places, at, home, turn, picked }) => {
      const copies = over(at, places);
      const chosen = new Int32Array(picked.length);
      copies.choose(picked, home, turn, chosen);
      picked.forEach((expert, j) => {
        expect(at[expert]).toContain(chosen[j]);
        if (at[expert]?.includes(home)) expect(chosen[j]).toBe(home);
      });
      const lists = picked.map((expert) => at[expert] ?? []);
      const others = (place: number): number => fewest(lists, place);
      expect(new Set(chosen.filter((place) => place !== home)).size).toBe(others(home));
      const mean = Array.from({ length: places }, (_, p) => others(p)).reduce((a, b) => a + b) / places;
      expect(copies.messages(picked, 0, picked.length)).toBeCloseTo(mean, 9);
    }),
    { numRuns: 200 },
  );
});

test("copies that are as good as each other are taken in turn", () => {
  const nearest = destinationsOf([0, 1, 1, 2, 1], [0, 2, 3, 5]);
  for (let row = 0; row < 6; row++)
    expect(nearest([1, 2], 1, row)).toEqual([
      { member: 1, slot: 0 },
      { member: 2, slot: 0 },
    ]);
  const far = destinationsOf([0, 1, 1], [0, 1, 2, 3]);
  const taken = Array.from({ length: 6 }, (_, row) => far([1], 0, row)[0]?.member);
  expect(taken.filter((it) => it === 1)).toHaveLength(3);
});
