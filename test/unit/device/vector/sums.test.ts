/** Sums of codes that readers scale as they load them: to the last bit what a product makes of them that scales its own. */
import { describe, expect, test } from "vitest";
import { add, swiglu } from "../../../../targets/device/kernels/vector/elementwise.ts";
import { rmsNorm } from "../../../../targets/device/kernels/vector/norm.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import type { View } from "../../../../targets/device/kernels/vector/tile.ts";
import { faultsOf, machines, randomFloats, runKernel } from "../../../support/kernels/run-kernel.ts";

const f = Math.fround;

/** Sums [s, width], their scales, and what these make of them: the sum times its column's, then its row's. */
function sumsOf(s: number, width: number) {
  const sums = randomFloats("sums", s * width, 3e6).map(Math.round);
  const [columns, rows] = [randomFloats("columns", width), randomFloats("rows", s)];
  const real = sums.map((it, i) =>
    f(f(f(it) * (columns[i % width] ?? 0)) * (rows[Math.floor(i / width)] ?? 0)),
  );
  return { sums, columns, rows, real };
}

describe.each(machines)("on %s", (_, profile) => {
  test.each([
    [1, 64],
    [3, 7168],
    [90, 200],
  ])("%d rows of %d in a norm, a residual added before, and in a sum", (s, width) => {
    const { sums, columns, rows, real } = sumsOf(s, width);
    const [residual, gain] = [randomFloats("r", s * width), randomFloats("g", width)];
    const view: View = { dtype: "f32", width };
    const [scaled, plain] = ([{ dtype: "i32", width, isSums: true }, view] as const).map((x) => ({
      norm: rmsNorm(profile, {
        x,
        residual: view,
        sum: view,
        gain: "f32",
        eps: 1e-6,
        rounded: { rotation: 1 },
      }),
      total: add(profile, { a: view, b: x, out: view }),
    }));
    if (!scaled || !plain) throw new Error("two views are two");
    const given = { residual, gain, x: sums, xScales: columns, xRowScales: rows };
    for (const kernel of Object.values(scaled)) expect(faultsOf(kernel, profile, [{ S: 1 }, { S: 300 }])).toEqual([]); // prettier-ignore
    const [own, other] = [runKernel(scaled.norm, profile, { S: s }, given), runKernel(plain.norm, profile, { S: s }, { ...given, x: real })]; // prettier-ignore
    expect([own.sum, own.codes, own.scales]).toEqual([other.sum, other.codes, other.scales]);
    const ofTotal = (kernel: Kernel, b: Float32Array) => runKernel(kernel, profile, { S: s }, { a: residual, b, bScales: columns, bRowScales: rows }).out; // prettier-ignore
    expect(ofTotal(scaled.total, sums)).toEqual(ofTotal(plain.total, real));
  });

  test.each([
    [1, 2048],
    [5, 96],
    [2, 18432],
  ])("%d rows of two halves of %d", (s, width) => {
    const { sums, columns, rows, real } = sumsOf(s, 2 * width);
    const half = (x: Omit<View, "width">): View => ({ ...x, width, rowStride: 2 * width });
    const kernelOf = (x: View) => swiglu(profile, { a: x, b: x, rounded: { rotation: 32 } });
    const [scaled, plain] = [
      kernelOf(half({ dtype: "i32", isSums: true })),
      kernelOf(half({ dtype: "f32" })),
    ];
    expect(faultsOf(scaled, profile, [{ S: 1 }, { S: 300 }])).toEqual([]);
    const scales = { aScales: columns, bScales: columns.subarray(width), aRowScales: rows, bRowScales: rows };
    const own = runKernel(scaled, profile, { S: s }, { a: sums, b: sums.subarray(width), ...scales });
    const other = runKernel(plain, profile, { S: s }, { a: real, b: real.subarray(width) });
    expect([own.codes, own.scales]).toEqual([other.codes, other.scales]);
  });
});
