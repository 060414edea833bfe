/** Operands are read whole: what nobody reads of them is found and named, along all axes on which no numbers that are read say where. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { insertFlags } from "../../../src/machine/schedule/flags.ts";
import type { Tensor } from "../../../src/machine/schedule/kernel.ts";
import { parseKernel } from "../../../src/machine/schedule/parser.ts";
import { beginnings, coresAt, prepareParts, type Core } from "../../../src/machine/schedule/cores.ts";
import { walk } from "../../../src/machine/schedule/walk.ts";
import { boxesRead } from "../../../src/machine/verify/across/boxes-read.ts";
import { dimsOf } from "../../../src/machine/verify/across/dims.ts";
import { isKnownAlong, readsOf } from "../../../src/machine/verify/across/reads.ts";
import { overlap, volume, without, type Extent } from "../../../src/machine/verify/boxes.ts";
import { verifyKernel } from "../../../src/machine/verify/verify.ts";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";
import { scheduleCases, type ScheduleCase } from "../../support/schedules/cases.ts";
import { productText } from "../../support/schedules/product.ts";

const faultsOf = (text: string, rows = 100): readonly string[] =>
  verifyKernel(insertFlags(parseKernel(text), ascend910b3), ascend910b3, [
    { sizes: new Map([["S", rows]]) },
  ]).map((it) => it.message);

/** A kernel of vector cores that fills `y`, row by row, from what a body brings into `b`. */
const rows = (tensors: string, body: string): string => `kernel rows for ascend-910b3
size S
${tensors}
tensor y: f32[S, 64] out
on vector {
  for row in group * cores + core .. S step groups * cores {
    buffer b: ub f32[1, 64] x2
    ${body}
    copy b -> y[row : 1, 0 : 64]
  }
}`;

describe("what a product takes", () => {
  const text = productText(300, 70, { m: 32, n: 48, k: 64, step: 16 });

  test.each([
    ["ends a turn too early", "0 .. 300 - 64 step 64", "256 : 44"],
    ["leaves out every other turn", "0 .. 300 step 128", "64 : 64"],
  ])("is refused where its loop over depth %s, and what nobody reads is named", (_, loop, missing) => {
    expect(faultsOf(text.replace("0 .. 300 step 64", loop))).toEqual([
      `product: nothing reads a[0 : 100, ${missing}]`,
      `product: nothing reads w[0 : 70, ${missing}]`,
    ]);
  });
});

describe("what is passed on from buffer to buffer", () => {
  const text = productText(300, 70, { m: 32, n: 48, k: 64, step: 16 });

  test("is passed on whole or not at all, and what is left of it is named", () => {
    expect(faultsOf(text.replace("0 .. depth step 16", "0 .. depth - 16 step 16"))).toEqual([
      "product: of what `copy a[m : rows, k : depth] -> a1[0 : rows, 0 : depth]` brings, nothing uses a1[0 : 32, 48 : 16]",
    ]);
    const all = "copy x[row : 1, 0 : 64] -> b";
    const idle =
      "copy x[row : 1, 0 : 64] -> b\n buffer spare: ub f32[1, 64]\n copy x[row : 1, 0 : 64] -> spare";
    expect(faultsOf(rows("tensor x: f32[S, 64] in", all))).toEqual([]);
    expect(faultsOf(rows("tensor x: f32[S, 64] in", idle))).toEqual([]);
  });

  test("is without another box what lies in it and not in the other", () => {
    const side = fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 5 }));
    const box = fc.tuple(side, side, side).map((axes): Extent => ({ at: axes.map(([from]) => from), size: axes.map(([, n]) => n) })); // prettier-ignore
    const dims = [10, 10, 10];
    fc.assert(
      fc.property(box, box, (a, b) => {
        fc.pre(overlap(a, b));
        const [whole, other] = [elementsIn(dims, [a]), elementsIn(dims, [b])];
        const rest = without(a, b);
        expect(elementsIn(dims, rest)).toEqual(whole.map((it, i) => it & ~(other[i] ?? 0)));
        expect(rest.reduce((n, it) => n + volume(it.size), 0)).toBe(elementsIn(dims, rest).reduce((n, it) => n + it, 0)); // prettier-ignore
      }),
    );
  });
});

describe("what a kernel takes", () => {
  test("is whole where several statements read it between them", () => {
    const halves =
      "copy x[row : 1, 0 : 32] -> b[0 : 1, 0 : 32]\n copy x[row : 1, 32 : 32] -> b[0 : 1, 32 : 32]";
    expect(faultsOf(rows("tensor x: f32[S, 64] in", halves))).toEqual([]);
  });

  test("is refused where some of it is declared and never read", () => {
    const load = "copy x[row : 1, 0 : 64] -> b";
    expect(faultsOf(rows("tensor x: f32[S, 72] in", load))).toEqual([
      "rows: nothing reads x[0 : 100, 64 : 8]",
    ]);
    expect(faultsOf(rows("tensor x: f32[S, 64] in\ntensor more: f32[8] in", load))).toEqual(["rows: nothing reads more[0 : 8]"]); // prettier-ignore
  });

  test("may be rows that numbers name, and those are whole", () => {
    const tensors = (width: number): string => `tensor at: i32[S] in\ntensor x: f32[500, ${width}] in`;
    const load = "read n = at[row]\n copy x[n : 1, 0 : 64] -> b";
    expect(faultsOf(rows(tensors(64), load))).toEqual([]);
    expect(faultsOf(rows(tensors(72), load))).toEqual(["rows: nothing reads x[0 : 500, 64 : 8]"]);
  });

  test("is known of rows that each core reads in its own order, and of columns that depend on the row", () => {
    const load =
      "let half = row mod 2 * 32\n copy x[row : 1, half : 32] -> b[0 : 1, 0 : 32]\n copy x[row : 1, 32 - half : 32] -> b[0 : 1, 32 : 32]";
    expect(faultsOf(rows("tensor x: f32[S, 64] in", load))).toEqual([]);
    const first = load.replace("32 - half", "half");
    expect(faultsOf(rows("tensor x: f32[S, 64] in", first))).toEqual([
      "rows: nothing reads x[0 : 1, 32 : 32]",
    ]);
  });

  test("is not asked for where there is nothing to give", () => {
    const tensors = "tensor x: f32[S, 64] in\ntensor gain: f32[1, 64] in";
    const load = "copy x[row : 1, 0 : 64] -> b\n buffer g: ub f32[1, 64] x2\n copy gain -> g";
    expect(faultsOf(rows(tensors, load), 0)).toEqual([]);
  });
});

/** The elements of a tensor, each 1 where it lies in some box. */
function elementsIn(dims: readonly number[], boxes: readonly Extent[]): Uint8Array {
  const all = new Uint8Array(volume(dims));
  const mark = ({ at, size }: Extent, axis: number, before: number): void => {
    const [from = 0, n = 0] = [at[axis], size[axis]];
    const start = before * (dims[axis] ?? 1) + from;
    if (axis === dims.length - 1) all.fill(1, start, start + n);
    else for (let i = 0; i < n; i++) mark({ at, size }, axis + 1, start + i);
  };
  for (const box of boxes) mark(box, 0, 0);
  return all;
}

describe("what is followed axis by axis", () => {
  const smallest = ({ kernel, profile, trials: [trial] }: ScheduleCase) => {
    const sizes = trial?.sizes ?? new Map<string, number>();
    const parts = prepareParts(kernel, profile).map((part) => {
      const all = beginnings([part], profile, sizes);
      const fresh = (): readonly Core[] =>
        Array.from({ length: profile.groups.value }, (_, group) => coresAt(all, group)).flat();
      return { part, reads: readsOf(part), fresh };
    });
    return { sizes, parts };
  };
  /** What a core reads of a tensor by taking every turn. */
  const walkedBoxes = ({ part, env }: Core, tensor: Tensor): readonly Extent[] => {
    const steps = walk(part.body, env);
    const found: Extent[] = [];
    for (let it = steps(undefined); it; it = steps(undefined))
      if (it.kind === "instruction" && it.places[0]?.box.decl === tensor) found.push(it.places[0]);
    return found;
  };

  test.each(scheduleCases.map((it) => [it.name, it] as const))("is what every turn of %s reads", (_, it) => {
    const { sizes, parts } = smallest(it);
    for (const tensor of it.kernel.tensors.filter(({ role }) => role === "in")) {
      const dims = dimsOf(tensor, sizes);
      const own = parts.flatMap(({ reads, fresh }) =>
        reads.filter((read) => read.tensor === tensor).map((read) => ({ read, fresh })),
      );
      if (!own.every(({ read }) => read.steps.every(({ kind }) => kind !== "if"))) continue;
      if (!own.every(({ read }) => dims.every((_, axis) => isKnownAlong(read, axis)))) continue;
      const found = own.flatMap(({ read, fresh }) => boxesRead(read, [...dims.keys()], fresh()));
      const walked = parts.flatMap(({ fresh }) => fresh().flatMap((core) => walkedBoxes(core, tensor)));
      expect(Buffer.compare(elementsIn(dims, found), elementsIn(dims, walked))).toBe(0);
    }
  });
});
