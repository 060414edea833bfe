/** The file that says which rank holds which experts. */
import { describe, expect, test } from "vitest";
import { formatExpertMap, holders, layerInOrder, parseExpertMap } from "../../../src/cluster/expert-map.ts";
import { CompileError } from "../../../src/support/diagnostics.ts";

const map = {
  experts: 3,
  ranks: 2,
  layers: [
    [[0, 1], [2]],
    [
      [2, 0],
      [1, 0],
    ],
  ],
};

test("a map is read as it was written", () => {
  expect(parseExpertMap(formatExpertMap(map, "by hand"), "map.json")).toEqual(map);
});

test("experts in order lie in runs that differ by one at most", () => {
  expect(layerInOrder(8, 3, 2)).toEqual([
    [0, 1, 2],
    [3, 4, 5],
    [6, 7, 0, 1],
  ]);
});

test("the holders of an expert are the ranks that list it", () => {
  expect(holders(map.layers[1] ?? [], 3)).toEqual([[0, 1], [1], [0]]);
});

describe("a fault is named with its place", () => {
  const fault = (change: object): string => {
    try {
      parseExpertMap(
        JSON.stringify({ format: "moec-expert-map", version: 1, ...map, ...change }),
        "map.json",
      );
    } catch (error) {
      if (error instanceof CompileError) return error.message;
    }
    return "";
  };
  test("an expert that nobody holds", () => {
    expect(fault({ layers: [[[0], [2]]] })).toMatch(/no rank holds expert 1\n.*map.json at \/layers\/0/);
  });
  test("an expert that there is not", () => {
    expect(
      fault({
        layers: [
          [
            [0, 1],
            [2, 3],
          ],
        ],
      }),
    ).toMatch(/no expert 3 of 3\n.*\/layers\/0\/1\/1/);
  });
  test("a layer of too few ranks", () => {
    expect(fault({ layers: [[[0, 1, 2]]] })).toMatch(/it has 1 ranks, expected 2/);
  });
  test("a field that is not known", () => {
    expect(fault({ rank: 2 })).toMatch(/\/rank/);
  });
});
