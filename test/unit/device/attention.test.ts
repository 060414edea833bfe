/** Attention by tiles on data. */
import { describe, expect, test } from "vitest";
import { floats } from "../../../src/interp/tensor.ts";
import { roundingTo } from "../../../src/machine/simulate/rounding.ts";
import { time } from "../../../src/machine/simulate/time.ts";
import { attention } from "../../../targets/device/kernels/attention/attention.ts";
import {
  farthest,
  faultsOf,
  machines,
  randomFloats,
  reference,
  runKernel,
} from "../../support/kernels/run-kernel.ts";

const tolerance = { f32: 1e-5, bf16: 1 / 100 } as const;

describe.each(machines)("on %s", (_, profile) => {
  test.each([
    ["f32", 4, 4, 48, 32, 1, 37, 5],
    ["f32", 6, 2, 16, 16, 2, 9, 140],
    ["bf16", 2, 2, 192, 128, 1, 70, 20],
    ["bf16", 8, 1, 64, 64, 1, 3, 130],
    ["f32", 3, 1, 40, 24, 1, 1, 0],
  ] as const)(
    "causal in %s: %d heads in %d groups of %d columns, values of %d; %d sequences of %d behind %d",
    (dtype, heads, groups, dim, width, b, s, past) => {
      const t = past + s;
      const view = { dtype, heads, width: dim };
      const kernel = attention(profile, {
        q: view,
        k: { dtype, heads: groups, width: dim },
        v: { dtype, heads: groups, width },
        out: { dtype, heads, width },
        scale: 0.3,
        queries: Infinity,
      });
      expect(faultsOf(kernel, profile, [{ B: 1, S: 1, P: 0 }, { B: 2, S: 90, P: 40 }])).toEqual([]); // prettier-ignore
      const round = roundingTo(dtype);
      const q = randomFloats("q", b * s * heads * dim).map(round);
      const k = randomFloats("k", b * t * groups * dim).map(round);
      const v = randomFloats("v", b * t * groups * width).map(round);
      const { out = [] } = runKernel(kernel, profile, { B: b, S: s, P: past }, { q, k, v });
      for (let i = 0; i < b; i++) {
        const part = (x: Float32Array<ArrayBuffer>, ...shape: number[]) => {
          const n = shape.reduce((a, d) => a * d, 1);
          return floats(shape, x.slice(i * n, (i + 1) * n));
        };
        const [expected] = reference("attention", [part(q, s, heads, dim), part(k, t, groups, dim), part(v, t, groups, width)], { scale: 0.3 }, [s, heads, width]); // prettier-ignore
        const n = s * heads * width;
        expect(farthest(out.slice(i * n, (i + 1) * n), expected?.data ?? [])).toBeLessThan(tolerance[dtype]);
      }
    },
  );

  test.each([
    ["f32", 16, 48, 32, 3, 1, 90],
    ["bf16", 128, 576, 512, 1, 1, 80],
    ["bf16", 20, 576, 512, 2, 2, 33],
  ] as const)(
    "over a latent cache in %s: %d heads of %d columns, values the first %d; %d sequences of %d behind %d",
    (dtype, heads, dim, width, b, s, past) => {
      const t = past + s;
      const kernel = attention(profile, {
        q: { dtype, heads, width: dim },
        k: { dtype, heads: 1, width: dim },
        out: { dtype, heads, width },
        scale: 0.1,
        queries: s,
      });
      expect(faultsOf(kernel, profile, [{ B: 1, S: s, P: 0 }, { B: 50, S: s, P: 200 }])).toEqual([]); // prettier-ignore
      const round = roundingTo(dtype);
      const q = randomFloats("q", b * s * heads * dim).map(round);
      const k = randomFloats("k", b * t * dim).map(round);
      const { out = [] } = runKernel(kernel, profile, { B: b, S: s, P: past }, { q, k });
      for (let i = 0; i < b; i++) {
        const keys = floats([t, 1, dim], k.slice(i * t * dim, (i + 1) * t * dim));
        const values = floats([t, 1, width], Float32Array.from({ length: t * width }, (_x, j) => keys.data[Math.floor(j / width) * dim + (j % width)] ?? 0)); // prettier-ignore
        const n = s * heads;
        const [expected] = reference("attention", [floats([s, heads, dim], q.slice(i * n * dim, (i + 1) * n * dim)), keys, values], { scale: 0.1 }, [s, heads, width]); // prettier-ignore
        expect(farthest(out.slice(i * n * width, (i + 1) * n * width), expected?.data ?? [])).toBeLessThan(tolerance[dtype]); // prettier-ignore
      }
    },
  );

  test.each([
    ["decoding, bound by the memory,", 16, undefined, 96, 1, 2047],
    ["decoding, bound by the units,", 128, undefined, 96, 1, 2047],
    ["prefill", 16, 128, 1, 1024, 0],
  ] as const)(
    "%s takes the time that walking through every turn gives, within 1 %%",
    (_name, heads, width, b, s, past) => {
      const dim = width ? 192 : 576;
      const kernel = attention(profile, {
        q: { dtype: "bf16", heads, width: dim },
        k: { dtype: "bf16", heads: width ? heads : 1, width: dim },
        ...(width && { v: { dtype: "bf16", heads, width } }),
        out: { dtype: "bf16", heads, width: width ?? 512 },
        scale: 0.1,
        queries: s,
      });
      const launch = { sizes: new Map([["B", b], ["S", s], ["P", past]]) }; // prettier-ignore
      const [quick, whole] = [time(kernel, profile, launch), time(kernel, profile, launch, () => {})];
      expect(Math.abs(quick.cycles / whole.cycles - 1)).toBeLessThan(0.01);
      expect(quick.macs / whole.macs).toBeCloseTo(1, 3);
      expect(quick.memoryBytes / whole.memoryBytes).toBeCloseTo(1, 3);
    },
  );
});
