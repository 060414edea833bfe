/** Rows that the vector cores read before the matrix unit's core turns them into fractals. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { parseKernel } from "../../../../src/machine/schedule/parser.ts";
import { printKernel } from "../../../../src/machine/schedule/printer.ts";
import { time } from "../../../../src/machine/simulate/time.ts";
import { ascend910b3 } from "../../../../targets/ascend/profiles/910.ts";
import { birenBr100 } from "../../../../targets/biren/profiles/br100.ts";
import { gemm } from "../../../../targets/device/kernels/matrix/gemm.ts";
import type { GemmSpec } from "../../../../targets/device/kernels/matrix/spec.ts";
import type { Tile } from "../../../../targets/device/kernels/matrix/tile.ts";
import { leastWork } from "../../../../targets/device/search/bounds.ts";
import { bestTile, timed, usualTrials } from "../../../../targets/device/search/search.ts";
import { faultsOf, runKernel } from "../../../support/kernels/run-kernel.ts";

const product = (n: number, k: number): GemmSpec => ({
  a: { dtype: "bf16", width: k },
  w: { kind: "plain", dtype: "bf16", nz: true },
  out: { dtype: "f32", width: n },
});
const tile = (m: number, n: number, k: number, more: Partial<Tile> & { readonly ahead?: number }): Tile => {
  const { ahead, ...rest } = more;
  const staged = { k, step: Math.min(k, 64), copies: 3, ...(ahead !== undefined && { ahead }) };
  return { area: { m, n }, staged, sums: { parts: 1, cut: "columns", copies: 1 }, ...rest };
};
const router = product(256, 7168);
const [rows, [m, n, k]] = [4096, [208, 128, 256]];
const alone = gemm(ascend910b3, router, tile(m, n, k, { band: 2 }));
const ahead = gemm(ascend910b3, router, tile(m, n, k, { band: 2, ahead: 4 }));
const timeOf = (kernel: Kernel) => time(kernel, ascend910b3, { sizes: new Map([["S", rows]]) });
/** The same schedule with one line written otherwise. */
const rewritten = (kernel: Kernel, line: string, as: string): Kernel => {
  const text = printKernel(kernel);
  expect(text).toContain(line);
  return parseKernel(text.replace(line, as), "ahead.sched");
};

test("whatever the rows and the tile, nobody waits for ever, and the result is the same", () => {
  const [width, depth] = [96, 320];
  const whole = (of: number, seed: number) => Float32Array.from({ length: of }, (_, i) => ((i * 37 + seed) % 17) - 8); // prettier-ignore
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 400 }),
      fc.constantFrom(16, 48, 80),
      fc.constantFrom(16, 32, 96),
      fc.constantFrom(64, 128, 384),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 8 }),
      (s, high, wide, deep, band, lead) => {
        const result = (of: Parameters<typeof tile>[3]): ArrayLike<number> => {
          const kernel = gemm(ascend910b3, product(width, depth), tile(high, wide, deep, of));
          expect(faultsOf(kernel, ascend910b3, [{ S: s }])).toEqual([]);
          return runKernel(kernel, ascend910b3, { S: s }, { a: whole(s * depth, 1), w: whole(width * depth, 2) })["out"] ?? []; // prettier-ignore
        };
        const across = Math.min(band, Math.ceil(width / wide));
        const order = across > 1 ? { band: across } : {};
        expect(result({ ...order, ahead: lead })).toEqual(result(order));
      },
    ),
    { numRuns: 30, seed: 3 },
  );
});

describe("in the chip's cache, who reads them next finds them", () => {
  test("they come from memory once, and the product is faster", () => {
    expect(timeOf(ahead).memoryBytes / timeOf(alone).memoryBytes).toBeCloseTo(1, 2);
    expect(timeOf(ahead).cycles).toBeLessThan(0.8 * timeOf(alone).cycles);
  });

  test("turns that are left out take the time they would", () => {
    const all = time(ahead, ascend910b3, { sizes: new Map([["S", rows]]) }, () => {});
    expect(timeOf(ahead).cycles / all.cycles).toBeCloseTo(1, 2);
  });

  test("but for those that nobody has read", () => {
    const half = rewritten(
      ahead,
      "let mine = min(share, rows - top)",
      "let mine = min(share, rows - top) / 2",
    );
    expect(timeOf(half).memoryBytes / timeOf(ahead).memoryBytes).toBeCloseTo(1, 2);
    expect(timeOf(half).cycles).toBeGreaterThan(1.05 * timeOf(ahead).cycles);
  });

  test("and not where nothing says that they have been read", () => {
    const before = rewritten(ahead, "await vector -> mte2 #0", "await vector -> fix #0");
    expect(timeOf(before).memoryBytes).toBeGreaterThan(1.7 * timeOf(ahead).memoryBytes);
  });
});

test("DeepSeek-V3's router over 4096 tokens so keeps the matrix unit busy for 90 % of its time", () => {
  const found = bestTile(ascend910b3, router, rows, usualTrials);
  expect(found.tile.staged.ahead).toBeGreaterThan(0);
  expect(leastWork(ascend910b3, router, rows).bounds.cube / found.cycles).toBeGreaterThan(0.9);
});

test("cores that have both units read nothing ahead, nor do products of a few rows", () => {
  expect(bestTile(birenBr100, router, rows, 4).tile.staged.ahead).toBeUndefined();
  const few = bestTile(ascend910b3, router, 8, 4);
  expect(few.tile.staged.ahead).toBeUndefined();
  expect(timed(ascend910b3, router, few.tile, 8).cycles).toBe(few.cycles);
});
