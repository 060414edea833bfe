/** Kernels that work row by row, on data: norms, elementwise work, rounding to int8. */
import { describe, expect, test } from "vitest";
import { time } from "../../../../src/machine/simulate/time.ts";
import { roundRow } from "../../../../src/interp/kernels/quantized.ts";
import { floats } from "../../../../src/interp/tensor.ts";
import { roundingTo } from "../../../../src/machine/simulate/rounding.ts";
import { rotateBlocks } from "../../../../src/tensor/hadamard.ts";
import { add, mul, roundRows, silu, swiglu } from "../../../../targets/device/kernels/vector/elementwise.ts";
import { rmsNorm } from "../../../../targets/device/kernels/vector/norm.ts";
import {
  farthest,
  faultsOf,
  machines,
  randomFloats,
  reference,
  runKernel,
} from "../../../support/kernels/run-kernel.ts";

const bf16 = (x: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> => x.map(roundingTo("bf16"));
/** Exact to float32 sums, and to half a unit of bfloat16's last place. */
const tolerance = { f32: 1e-5, bf16: 1 / 256 } as const;
const dtypes = ["f32", "bf16"] as const;

/** Codes and scales of rows, one after another. */
const rounded = (x: Float32Array, width: number) => {
  const rows = Array.from({ length: x.length / width }, (_, i) => roundRow(x, i * width, width));
  return { codes: rows.flatMap((it) => [...it.codes]), scales: rows.map((it) => it.scale) };
};

describe.each(machines)("on %s", (_, profile) => {
  describe.each(dtypes)("in %s", (dtype) => {
    test.each([
      [1, 64],
      [77, 200],
      [5, 7168],
    ])("a norm of %d rows of %d, a residual added before", (s, width) => {
      const view = { dtype, width };
      const kernel = rmsNorm(profile, { x: view, residual: view, sum: view, out: view, gain: dtype, eps: 1e-6 }); // prettier-ignore
      expect(faultsOf(kernel, profile, [{ S: 1 }, { S: 300 }])).toEqual([]);
      const [x, residual, gain] = [randomFloats("x", s * width), randomFloats("r", s * width), randomFloats("g", width)]; // prettier-ignore
      const found = runKernel(kernel, profile, { S: s }, { x, residual, gain });
      const given = (data: Float32Array<ArrayBuffer>, shape: readonly number[]) =>
        floats(shape, dtype === "bf16" ? bf16(data) : data);
      const [sum, out] = reference("addRmsNorm", [given(x, [s, width]), given(residual, [s, width]), given(gain, [width])], { eps: 1e-6 }); // prettier-ignore
      expect(farthest(found.sum ?? [], sum?.data ?? [])).toBeLessThan(tolerance[dtype]);
      expect(farthest(found.out ?? [], out?.data ?? [])).toBeLessThan(tolerance[dtype]);
    });
  });

  test("a norm of each of some heads that lie inside longer rows", () => {
    const [s, heads, width, rowStride, headStride] = [19, 3, 48, 400, 100];
    const x = randomFloats("x", s * rowStride);
    const gain = randomFloats("g", width);
    const kernel = rmsNorm(profile, {
      x: { dtype: "f32", heads, width, rowStride, headStride },
      out: { dtype: "f32", heads, width },
      gain: "f32",
      eps: 1e-6,
    });
    expect(faultsOf(kernel, profile, [{ S: 1 }, { S: 300 }])).toEqual([]);
    const dense = Float32Array.from({ length: s * heads * width }, (_, i) => {
      const [row, head] = [Math.floor(i / (heads * width)), Math.floor(i / width) % heads];
      return x[row * rowStride + head * headStride + (i % width)] ?? 0;
    });
    const [expected] = reference("rmsNorm", [floats([s, heads, width], dense), floats([width], gain)], { eps: 1e-6 }); // prettier-ignore
    const { out = [] } = runKernel(kernel, profile, { S: s }, { x, gain });
    expect(farthest(out, expected?.data ?? [])).toBeLessThan(1e-5);
  });

  test.each([
    [3, 64, 64],
    [41, 96, 32],
    [2, 7168, 1024],
    [2, 18432, 1],
  ])(
    "%d rows of %d rounded to the interpreter's codes, %d columns rotated together",
    (s, width, rotation) => {
      const x = randomFloats("x", s * width);
      x.fill(0, 0, width);
      const kernel = roundRows(profile, { dtype: "f32", width }, { rotation });
      expect(faultsOf(kernel, profile, [{ S: 1 }, { S: 300 }])).toEqual([]);
      const found = runKernel(kernel, profile, { S: s }, { a: x });
      const rotated = Float32Array.from(x);
      rotateBlocks(rotated, rotation);
      const expected = rounded(rotated, width);
      expect([...(found.scales ?? [])]).toEqual(expected.scales);
      expect([...(found.codes ?? [])]).toEqual(expected.codes);
    },
  );

  test.each([96, 7168])("a norm of rows of %d and its rounding, rotated, in one kernel", (width) => {
    const s = 7;
    const view = { dtype: "f32", width } as const;
    const kernel = rmsNorm(profile, { x: view, residual: view, sum: view, out: view, gain: "f32", eps: 1e-6, rounded: { rotation: 32 } }); // prettier-ignore
    expect(faultsOf(kernel, profile, [{ S: 1 }, { S: 300 }])).toEqual([]);
    const found = runKernel(kernel, profile, { S: s }, { x: randomFloats("x", s * width), residual: randomFloats("r", s * width), gain: randomFloats("g", width) }); // prettier-ignore
    const rotated = Float32Array.from(found.out ?? []);
    rotateBlocks(rotated, 32);
    const expected = rounded(rotated, width);
    expect([...(found.scales ?? [])]).toEqual(expected.scales);
    expect([...(found.codes ?? [])]).toEqual(expected.codes);
  });

  test.each([
    ["f32", 2048],
    ["bf16", 100],
    ["bf16", 18432],
  ] as const)("silu of the first half of packed %s rows times the second, of %d", (dtype, width) => {
    const s = 5;
    const half = { dtype, width, rowStride: 2 * width };
    const kernel = swiglu(profile, { a: half, b: half, out: { dtype, width }, rounded: { rotation: 1 } });
    expect(faultsOf(kernel, profile, [{ S: 1 }, { S: 300 }])).toEqual([]);
    const [gate, up] = [randomFloats("g", s * width, 3), randomFloats("u", s * width)].map(dtype === "bf16" ? bf16 : (it) => it); // prettier-ignore
    const spread = (x: Float32Array = new Float32Array()): Float32Array<ArrayBuffer> =>
      Float32Array.from({ length: 2 * s * width }, (_, i) => x[Math.floor(i / (2 * width)) * width + (i % (2 * width))] ?? 0); // prettier-ignore
    const [expected] = reference("swiglu", [floats([s, width], gate), floats([s, width], up)], {});
    const found = runKernel(kernel, profile, { S: s }, { a: spread(gate), b: spread(up) });
    expect(farthest(found.out ?? [], expected?.data ?? [])).toBeLessThan(tolerance[dtype]);
    if (dtype === "f32") expect([...(found.codes ?? [])]).toEqual(rounded(Float32Array.from(found.out ?? []), width).codes); // prettier-ignore
  });

  test.each([1, 3, 50])("%d rows of 7240 are shared by cores, column by column where they are few", (s) => {
    const view = { dtype: "f32", width: 7240 } as const;
    const kernel = add(profile, { a: view, b: view, out: view });
    const sizes = new Map([["S", s]]);
    expect(faultsOf(kernel, profile, [{ S: 1 }, { S: s }, { S: 300 }])).toEqual([]);
    const [a, b] = [randomFloats("a", s * view.width), randomFloats("b", s * view.width)];
    const { out } = runKernel(kernel, profile, { S: s }, { a, b });
    expect(farthest(out ?? [], a.map((x, i) => x + (b[i] ?? 0)))).toBe(0); // prettier-ignore
    expect(time(kernel, profile, { sizes }).working).toBeGreaterThanOrEqual(Math.min(s, 3) * 2);
  });

  test.each([
    [1, 96],
    [9, 1536],
    [130, 7168],
  ])("%d rows of %d in fractals hold what they hold row by row", (s, width) => {
    const view = { dtype: "bf16", width } as const;
    const [x, residual, gain] = [randomFloats("x", s * width), randomFloats("r", s * width), randomFloats("g", width)]; // prettier-ignore
    const norm = (nz: boolean) => rmsNorm(profile, { x: view, residual: view, sum: view, out: { ...view, nz }, gain: "bf16", eps: 1e-6 }); // prettier-ignore
    const codes = (nz: boolean) => roundRows(profile, view, { rotation: 1, nz });
    for (const [make, inputs] of [
      [norm, { x, residual, gain }],
      [codes, { a: x }],
    ] as const) {
      expect(faultsOf(make(true), profile, [{ S: 1 }, { S: 300 }])).toEqual([]);
      expect(runKernel(make(true), profile, { S: s }, inputs)).toEqual(runKernel(make(false), profile, { S: s }, inputs)); // prettier-ignore
    }
  });

  test.each(["f32", "bf16"] as const)("a norm of x and a sum of two in %s, in that order", (dtype) => {
    const [s, width] = [5, 7168];
    const view = { dtype, width };
    const spec = { x: view, residual: view, sum: view, out: view, gain: "f32", eps: 1e-6 } as const;
    const [once, twice] = [rmsNorm(profile, spec), rmsNorm(profile, { ...spec, more: view })];
    expect(faultsOf(twice, profile, [{ S: 1 }, { S: 300 }])).toEqual([]);
    const [x, a, b] = ["x", "a", "b"].map((it) => randomFloats(it, s * width)).map((it) => (dtype === "bf16" ? bf16(it) : it)); // prettier-ignore
    if (!x || !a || !b) throw new Error("three are three");
    const gain = randomFloats("g", width);
    const found = runKernel(twice, profile, { S: s }, { x, residual: a, more: b, gain });
    const both = a.map((it, i) => it + (b[i] ?? 0));
    if (dtype === "f32") {
      const apart = runKernel(once, profile, { S: s }, { x, residual: both, gain });
      expect(farthest(found.out ?? [], apart.out ?? [])).toBe(0);
    }
    expect(farthest(found.sum ?? [], x.map((it, i) => it + (both[i] ?? 0)))).toBeLessThan(tolerance[dtype]); // prettier-ignore
  });

  test("sums, products and silu of rows", () => {
    const [s, width] = [33, 130];
    const view = { dtype: "f32", width } as const;
    const [a, b] = [randomFloats("a", s * width), randomFloats("b", s * width)];
    const found = [
      runKernel(add(profile, { a: view, b: view, out: view }), profile, { S: s }, { a, b }),
      runKernel(mul(profile, { a: view, b: view, out: view }), profile, { S: s }, { a, b }),
      runKernel(silu(profile, { a: view, out: view }), profile, { S: s }, { a }),
    ];
    expect(farthest(found[0]?.out ?? [], a.map((x, i) => x + (b[i] ?? 0)))).toBe(0); // prettier-ignore
    expect(farthest(found[1]?.out ?? [], a.map((x, i) => x * (b[i] ?? 0)))).toBe(0); // prettier-ignore
    expect(
      farthest(
        found[2]?.out ?? [],
        a.map((x) => x / (1 + Math.exp(-x))),
      ),
    ).toBeLessThan(1e-6);
  });
});
