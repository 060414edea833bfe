import { describe, expect, test } from "vitest";
import {
  addDims,
  bindDim,
  compareDims,
  divideDims,
  floorDivideDims,
  maxDims,
  minDims,
  moduloDims,
  multiplyDims,
  subtractDims,
  type Dim,
} from "../../src/ir/dim.ts";
import { randomSource } from "../support/random.ts";

describe("dims", () => {
  test("have one spelling", () => {
    expect(addDims("S", "P")).toBe("P+S");
    expect(addDims("P+S", 3)).toBe("P+S+3");
    expect(multiplyDims("S+1", "S+-1")).toBe("S*S-1");
    expect(subtractDims("P+S", "S")).toBe("P");
    expect(subtractDims("S", "S")).toBe(0);
    expect(multiplyDims("8*S", 0.5 * 4)).toBe("16*S");
  });

  test("divide where it comes out even", () => {
    expect(divideDims("64*P+64*S", "P+S")).toBe(64);
    expect(divideDims("64*P*S+64*S*S", "P+S")).toBe("64*S");
    expect(divideDims("64*S", 128)).toBeUndefined();
    expect(floorDivideDims("64*S+1", 4)).toBe("floor(64*S+1,4)");
    expect(moduloDims("8*S", 4)).toBe(0);
  });

  test("compare where the named dims leave no doubt", () => {
    const positive = new Set(["S"]);
    expect(compareDims("S", 2 ** 40)).toBe(-1);
    expect(compareDims("P+S", "S")).toBeUndefined();
    expect(compareDims("S", 0)).toBeUndefined();
    expect(compareDims("S", 0, positive)).toBe(1);
    expect(minDims("P+S", "S")).toBe("S");
    expect(maxDims(1, "S")).toBe("max(1,S)");
    expect(maxDims(1, "S", positive)).toBe("S");
    expect(minDims("4*floor(S,4)", "S")).toBe("4*floor(S,4)");
  });

  test("stand for what arithmetic gives, whatever the numbers", () => {
    const random = randomSource("dims");
    const integer = (n: number) => Math.floor(random() * n);
    const operations: readonly [(a: Dim, b: Dim) => Dim, (a: number, b: number) => number][] = [
      [addDims, (a, b) => a + b],
      [subtractDims, (a, b) => a - b],
      [multiplyDims, (a, b) => a * b],
      [maxDims, Math.max],
      [minDims, Math.min],
      [
        (a, b) => floorDivideDims(a, Math.max(1, Number(b) || 3)),
        (a, b) => Math.floor(a / Math.max(1, b || 3)),
      ],
    ];
    for (let round = 0; round < 500; round++) {
      const bindings = { P: integer(5), S: 1 + integer(7) };
      let [dim, number]: [Dim, number] = ["S", bindings.S];
      for (let step = 0; step < 4; step++) {
        const [other, value] = (
          [
            ["P", bindings.P],
            ["S", bindings.S],
            [2, 2],
            [3, 3],
          ] as const
        )[integer(4)] ?? [1, 1];
        const [onDims, onNumbers] = operations[integer(typeof other === "number" ? 6 : 5)] ?? [
          addDims,
          (a, b) => a + b,
        ];
        dim = onDims(dim, other);
        number = onNumbers(number, value);
        expect(bindDim(dim, bindings), String(dim)).toBe(number + 0);
      }
    }
  });
});
