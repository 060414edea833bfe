/** Kernels that move rows: copies of views, casts, the cache, the embedding, rotary positions. */
import { describe, expect, test } from "vitest";
import { floats } from "../../../../src/interp/tensor.ts";
import { roundingTo } from "../../../../src/machine/simulate/rounding.ts";
import { appendRows, copyRows, gatherRows } from "../../../../targets/device/kernels/vector/copy.ts";
import { rope, rotationTable } from "../../../../targets/device/kernels/vector/rope.ts";
import {
  farthest,
  faultsOf,
  machines,
  randomFloats,
  reference,
  runKernel,
} from "../../../support/kernels/run-kernel.ts";

const bf16 = roundingTo("bf16");
const trials = [{ S: 1 }, { S: 300 }];

describe.each(machines)("on %s", (_, profile) => {
  test.each([
    [1, 5, 33],
    [4, 7, 40],
    [1, 3, 30_000],
  ])("rows of %d heads from one view to another, to bfloat16", (heads, s, width) => {
    const from = { dtype: "f32", width, heads, rowStride: heads * width + 9, headStride: width } as const;
    const to = { dtype: "bf16", width, heads, rowStride: 2 * heads * width, headStride: 2 * width } as const;
    const kernel = copyRows(profile, { from, to });
    expect(faultsOf(kernel, profile, trials)).toEqual([]);
    const x = randomFloats("x", s * from.rowStride);
    const { to: found = [] } = runKernel(kernel, profile, { S: s }, { from: x });
    const places = Array.from({ length: s * heads * width }, (_x, i) => [Math.floor(i / heads / width), Math.floor(i / width) % heads, i % width] as const); // prettier-ignore
    const moved = places.map(([row, head, c]) => found[row * to.rowStride + head * to.headStride + c] ?? 0);
    expect(farthest(moved, places.map(([row, head, c]) => bf16(x[row * from.rowStride + head * width + c] ?? 0)))).toBe(0); // prettier-ignore
  });

  test.each([
    [3, 2, "bf16"],
    [40, 1, "f32"],
    [40, 90, "bf16"],
  ] as const)("a run repeated for each of %d heads, of %d rows, as %s", (heads, s, dtype) => {
    const [width, rowStride] = [16, 24];
    const to = { dtype, width, heads, rowStride: 3 * heads * width, headStride: 2 * width } as const;
    const kernel = copyRows(profile, { from: { dtype: "f32", width, heads, rowStride, headStride: 0 }, to });
    expect(faultsOf(kernel, profile, trials)).toEqual([]);
    const x = randomFloats("x", s * rowStride);
    const { to: found = [] } = runKernel(kernel, profile, { S: s }, { from: x });
    const places = Array.from({ length: s * heads * width }, (_x, i) => [Math.floor(i / heads / width), Math.floor(i / width) % heads, i % width] as const); // prettier-ignore
    const moved = places.map(([row, head, c]) => found[row * to.rowStride + head * to.headStride + c] ?? 0);
    expect(farthest(moved, places.map(([row, , c]) => roundingTo(dtype)(x[row * rowStride + c] ?? 0)))).toBe(0); // prettier-ignore
  });

  test("rows behind those of a cache", () => {
    const view = { dtype: "f32", width: 24 } as const;
    const kernel = appendRows(profile, { from: view, to: view });
    expect(faultsOf(kernel, profile, [{ S: 90, P: 7 }])).toEqual([]);
    const x = randomFloats("x", 3 * 24);
    const { to } = runKernel(kernel, profile, { S: 3, P: 2 }, { from: x });
    expect([...(to ?? [])]).toEqual([...new Float32Array(48), ...x]);
  });

  test.each([
    ["bf16", "bf16", 40],
    ["bf16", "f32", 7168],
  ] as const)("rows of a %s table as %s", (dtype, to, width) => {
    const kernel = gatherRows(profile, { table: dtype, entries: 20, out: { dtype: to, width } });
    expect(faultsOf(kernel, profile, trials)).toEqual([]);
    const table = randomFloats("t", 20 * width).map(bf16);
    const ids = Array.from({ length: 47 }, (_x, i) => (i * 7) % 20);
    const { out = [] } = runKernel(kernel, profile, { S: ids.length }, { table, ids });
    ids.forEach((id, i) => expect(farthest(out.slice(i * width, (i + 1) * width), table.slice(id * width, (id + 1) * width))).toBe(0)); // prettier-ignore
  });

  test.each([
    ["f32", "interleaved", 1, 64, 45],
    ["f32", "halves", 5, 16, 60],
    ["bf16", "halves", 128, 64, 2],
    ["f32", "interleaved", 300, 64, 1],
    ["f32", "interleaved", 2, 4, 3],
  ] as const)("rotary positions in %s, %s, %d heads of %d", (dtype, pairs, heads, dim, s) => {
    const [positions, scale] = [200, 1.2];
    const view = { dtype, width: dim, heads, rowStride: heads * (dim + 8), headStride: dim + 8 };
    const kernel = rope(profile, { x: view, out: { dtype, width: dim, heads }, pairs, positions });
    expect(faultsOf(kernel, profile, trials)).toEqual([]);
    const x = randomFloats("x", s * view.rowStride).map((it) => (dtype === "bf16" ? bf16(it) : it));
    const at = Array.from({ length: s }, (_x, i) => (i * 37 + 150) % positions);
    const invFreq = Float32Array.from({ length: dim / 2 }, (_x, j) => 10000 ** ((-2 * j) / dim));
    const table = rotationTable(invFreq, positions, pairs, scale);
    const { out = [] } = runKernel(kernel, profile, { S: s }, { x, positions: at, table });
    const dense = Float32Array.from({ length: s * heads * dim }, (_x, i) => x[Math.floor(i / dim) * (dim + 8) + (i % dim)] ?? 0); // prettier-ignore
    const [expected] = reference("rope", [floats([s, heads, dim], dense), { dtype: "i32", shape: [s], data: Int32Array.from(at) }, floats([dim / 2], invFreq)], { pairs, scale }); // prettier-ignore
    expect(farthest(out, expected?.data ?? [])).toBeLessThan(dtype === "f32" ? 1e-6 : 1 / 256);
  });
});
