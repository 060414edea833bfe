/** Results are written whole: what nobody writes of them is found and named, whatever boxes the rest is written in. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { insertFlags } from "../../../src/machine/schedule/flags.ts";
import { parseKernel } from "../../../src/machine/schedule/parser.ts";
import { firstGap } from "../../../src/machine/verify/across/gaps.ts";
import type { Extent } from "../../../src/machine/verify/boxes.ts";
import { verifyKernel } from "../../../src/machine/verify/verify.ts";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";

/** Rows through a vector core, from one tensor to another; some of them left out. */
const rows = (loop: string, store: string, role = "out"): string => `kernel rows for ascend-910b3
size S
tensor x: f32[S, 64] in
tensor y: f32[S, 64] ${role}
on vector {
  for row in ${loop} {
    buffer b: ub f32[1, 64] x2
    copy x[row : 1, 0 : 64] -> b
    copy b -> y[${store}]
  }
}`;
const everyRow = "group * cores + core .. S step groups * cores";

const faultsOf = (text: string): readonly string[] =>
  verifyKernel(insertFlags(parseKernel(text), ascend910b3), ascend910b3, [
    { sizes: new Map([["S", 100]]) },
  ]).map((it) => it.message);

describe("what a kernel gives", () => {
  test.each([
    ["a loop ends too early", rows(everyRow.replace("S step", "S - 1 step"), "row : 1, 0 : 64"), "y[99 : 1, 0 : 64]"], // prettier-ignore
    ["it begins late", rows(everyRow.replace("core ..", "core + 2 .."), "row : 1, 0 : 64"), "y[0 : 2, 0 : 64]"], // prettier-ignore
    ["nobody writes", rows("S .. S", "row : 1, 0 : 64"), "y[0 : 100, 0 : 64]"],
  ])("is refused where %s, and the first box that is missing named", (_, text, missing) => {
    expect(faultsOf(text)).toEqual([`rows: nothing writes ${missing}`]);
  });

  test("may be a part of what was there before", () => {
    expect(faultsOf(rows(everyRow, "row : 1, 0 : 64"))).toEqual([]);
    const allButOne = rows(everyRow.replace("S step", "S - 1 step"), "row : 1, 0 : 64", "inout");
    expect(faultsOf(allButOne.replace("x: f32[S, 64]", "x: f32[S - 1, 64]"))).toEqual([]);
  });
});

describe("the first gap between boxes", () => {
  const dims = [5, 4, 3];
  const box = fc
    .tuple(...dims.map((n) => fc.tuple(fc.nat(n - 1), fc.integer({ min: 1, max: n }))))
    .map((axes): Extent => ({ at: axes.map(([from]) => from), size: axes.map(([from, n], i) => Math.min(n, (dims[i] ?? 0) - from)) })); // prettier-ignore
  const points = dims.reduce<readonly (readonly number[])[]>(
    (all, n) => all.flatMap((it) => Array.from({ length: n }, (_, i) => [...it, i])),
    [[]],
  );
  const isIn = (point: readonly number[], { at, size }: Extent): boolean =>
    point.every((p, i) => p >= (at[i] ?? 0) && p < (at[i] ?? 0) + (size[i] ?? 0));

  test("begins at the first element that none covers, and none covers any of it", () => {
    fc.assert(
      fc.property(fc.array(box, { maxLength: 12 }), (boxes) => {
        const bare = points.filter((it) => !boxes.some((of) => isIn(it, of)));
        const gap = firstGap(dims, boxes);
        expect(gap?.at).toEqual(bare[0]);
        const inside = points.filter((it) => gap && isIn(it, gap));
        expect(inside.every((it) => bare.includes(it))).toBe(true);
      }),
    );
  });

  test("is none of an array without elements", () => {
    expect(firstGap([4, 0], [])).toBeUndefined();
  });
});
