/** Rows brought to their experts and back, on data. */
import { describe, expect, test } from "vitest";
import { roundingTo } from "../../../../src/machine/simulate/rounding.ts";
import type { Trial } from "../../../../src/machine/verify/verify.ts";
import { distinctReader } from "../../../../src/plan/program/readers.ts";
import { rowBlocks, type RowBlock } from "../../../../src/plan/program/row-blocks.ts";
import { groupSlots } from "../../../../targets/device/kernels/vector/group-slots.ts";
import { combineRows, permuteRows } from "../../../../targets/device/kernels/vector/permute.ts";
import { randomSource } from "../../../support/random.ts";
import {
  farthest,
  faultsOf,
  machines,
  randomFloats,
  runKernel,
} from "../../../support/kernels/run-kernel.ts";

/** Choices of s tokens, each of k different experts; the greatest expert is never chosen. */
function choices(s: number, k: number, experts: number): number[] {
  const next = randomSource("choices");
  return Array.from({ length: s }, () => {
    const all = Array.from({ length: experts - 1 }, (_, e) => [next(), e] as const);
    return all.sort(([a], [b]) => a - b).slice(0, k).map(([, e]) => e); // prettier-ignore
  }).flat();
}

const sorted = (indices: readonly number[]): readonly number[] =>
  indices.map((_, slot) => slot).sort((a, b) => (indices[a] ?? 0) - (indices[b] ?? 0) || a - b);

/** The blocks of a height that a kernel listed. */
function blocksIn(found: Readonly<Record<string, ArrayLike<number>>>, height: number): readonly RowBlock[] {
  const list = Array.from(found[`blocks${height}`] ?? []);
  const [count = 0] = Array.from(found[`blockCount${height}`] ?? []);
  return Array.from({ length: count }, (_, i) => ({ expert: list[i] ?? -1, begin: list[list.length / 2 + i] ?? -1 })); // prettier-ignore
}

describe.each(machines)("on %s", (_, profile) => {
  test("slots of experts elsewhere stand before all groups, and neither go there nor come back", () => {
    const [s, topK, experts, width] = [23, 3, 4, 40];
    const [x, weights] = [randomFloats("x", s * width), randomFloats("w", s * topK)];
    const indices = choices(s, topK, 9).map((e) => (e < experts ? e : -1));
    const grouped = groupSlots(profile, { experts, topK, partial: true });
    const { offsets = [], place = [] } = runKernel(grouped, profile, { S: s }, { indices });
    expect([...offsets]).toEqual(Array.from({ length: experts + 1 }, (_x, e) => indices.filter((it) => it < e).length)); // prettier-ignore
    const moved = permuteRows(profile, { x: { dtype: "f32", width }, topK, scaled: false, partial: true, blocks: { experts, heights: [16] } }); // prettier-ignore
    const { rows = [], ...lists } = runKernel(moved, profile, { S: s }, { x, place, indices, offsets, rows: Array(s * topK * width).fill(NaN) }); // prettier-ignore
    expect(blocksIn(lists, 16)).toEqual(rowBlocks([...offsets], 16));
    const first = offsets[0] ?? 0;
    expect(rows.findIndex((it) => !Number.isNaN(it))).toBe(first * width);
    const back = combineRows(profile, { rows: "f32", out: { dtype: "f32", width }, topK, partial: true });
    const { out = [] } = runKernel(back, profile, { S: s }, { rows, place, indices, weights });
    const share = (row: number): number => indices.slice(row * topK, (row + 1) * topK).reduce((n, e, j) => n + (e < 0 ? 0 : (weights[row * topK + j] ?? 0)), 0); // prettier-ignore
    expect(farthest(out, Float32Array.from(x, (it, i) => it * share(Math.floor(i / width))))).toBeLessThan(1e-5); // prettier-ignore
    for (const kernel of [grouped, moved, back]) {
      const elsewhere: Trial["reader"] = (sizes) => {
        const distinct = distinctReader(kernel, sizes);
        return (name, at) => (name === "expert" ? ((at.at(-1) ?? 0) % 2) - 1 : distinct(name, at));
      };
      expect(faultsOf(kernel, profile, [{ S: 300 }], elsewhere)).toEqual([]);
    }
  });

  test.each([
    [1, 2, 8],
    [57, 6, 160],
    [700, 8, 256],
    [1, 1, 2],
    [300, 2, 3],
    [900, 8, 9],
  ])("the slots of %d tokens, %d each, in groups of %d experts", (s, topK, experts) => {
    const kernel = groupSlots(profile, { experts, topK, partial: false });
    const indices = choices(s, topK, experts);
    const order = sorted(indices);
    const offsets = Array.from({ length: experts + 1 }, (_x, e) => indices.filter((it) => it < e).length);
    for (const S of [1, 2000]) expect(faultsOf(kernel, profile, [{ S }], (sizes) => distinctReader(kernel, sizes))).toEqual([]); // prettier-ignore
    const sparse: Trial["reader"] = (sizes) => {
      const distinct = distinctReader(kernel, sizes);
      let chunks = 0; // in every other there is none
      return (name, at) => (name === "within" && chunks++ % 2 === 0 ? 0 : distinct(name, at));
    };
    expect(faultsOf(kernel, profile, [{ S: 2000 }], sparse)).toEqual([]);
    const found = runKernel(kernel, profile, { S: s }, { indices });
    expect([...(found.offsets ?? [])]).toEqual(offsets);
    expect(order.every((slot, p) => found.place?.[slot] === p)).toBe(true);
  });

  test.each([
    ["i8", 96, true],
    ["bf16", 40, false],
    ["f32", 30_000, false],
  ] as const)("rows of %s, %d wide, in the order of their groups", (dtype, width, scaled) => {
    const [s, topK] = [dtype === "f32" ? 3 : 50, 3];
    const kernel = permuteRows(profile, { x: { dtype, width }, topK, scaled, partial: false, blocks: { experts: 1, heights: [16] } }); // prettier-ignore
    expect(faultsOf(kernel, profile, [{ S: 300 }], (sizes) => distinctReader(kernel, sizes))).toEqual([]);
    const x = randomFloats("x", s * width, 50).map(roundingTo(dtype));
    const scales = randomFloats("s", s);
    const order = sorted(choices(s, topK, 9));
    const place = order.map((_x, slot) => order.indexOf(slot));
    const found = runKernel(kernel, profile, { S: s }, { x, scales, place });
    const expected = order.flatMap((slot) => [...x.subarray(Math.floor(slot / topK) * width, (Math.floor(slot / topK) + 1) * width)]); // prettier-ignore
    expect(farthest(found.rows ?? [], expected)).toBe(0);
    if (scaled)
      expect([...(found.rowScales ?? [])]).toEqual(order.map((slot) => scales[Math.floor(slot / topK)]));
  });

  test.each([
    ["of one expert alone", [0, 0, 3000, 3000, 3000]],
    ["of many experts, few of which have any", Array.from({ length: 258 }, (_x, e) => Math.floor(e / 50))],
    ["of experts that have a row, a block, a little less and a little more", [5, 6, 22, 37, 54, 54, 102]],
    ["of nobody", [0, 0, 0]],
  ] as const)("the blocks of rows %s", (_name, offsets) => {
    const [rows, experts, heights] = [offsets.at(-1) ?? 0, offsets.length - 1, [16, 48]];
    const kernel = permuteRows(profile, { x: { dtype: "f32", width: 8 }, topK: 1, scaled: false, partial: false, blocks: { experts, heights } }); // prettier-ignore
    const S = Math.max(1, rows);
    expect(faultsOf(kernel, profile, [{ S }], (sizes) => distinctReader(kernel, sizes))).toEqual([]);
    const place = Array.from({ length: S }, (_x, i) => i);
    const found = runKernel(kernel, profile, { S }, { place, offsets });
    for (const height of heights) expect(blocksIn(found, height)).toEqual(rowBlocks(offsets, height));
  });

  test.each([
    ["f32", "f32", 100, 1e-6],
    ["bf16", "bf16", 7168, 1 / 256],
    ["f32", "f32", 20_000, 1e-6],
  ] as const)("rows of %s back to tokens of %s, %d wide", (dtype, to, width, tolerance) => {
    const [s, topK] = [width > 1000 ? 2 : 45, 4];
    const kernel = combineRows(profile, { rows: dtype, out: { dtype: to, width }, topK, partial: false });
    expect(faultsOf(kernel, profile, [{ S: 1 }, { S: 300 }])).toEqual([]);
    const rows = randomFloats("x", s * topK * width).map(roundingTo(dtype));
    const weights = randomFloats("w", s * topK);
    const place = sorted(choices(s, topK, 9));
    const { out = [] } = runKernel(kernel, profile, { S: s }, { rows, weights, place });
    const expected = Float32Array.from({ length: s * width }, (_x, i) => {
      const [row, c] = [Math.floor(i / width), i % width];
      let sum = 0;
      for (let j = 0; j < topK; j++) sum = Math.fround(sum + (weights[row * topK + j] ?? 0) * (rows[(place[row * topK + j] ?? 0) * width + c] ?? 0)); // prettier-ignore
      return sum;
    });
    expect(farthest(out, expected)).toBeLessThan(tolerance);
  });
});
