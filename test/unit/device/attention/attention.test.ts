/** Attention by tiles on data. */
import { describe, expect, test } from "vitest";
import { floats } from "../../../../src/interp/tensor.ts";
import { roundingTo } from "../../../../src/machine/simulate/rounding.ts";
import { time } from "../../../../src/machine/simulate/time.ts";
import { attention } from "../../../../targets/device/kernels/attention/attention.ts";
import { combine } from "../../../../targets/device/kernels/attention/combine.ts";
import {
  farthest,
  faultsOf,
  machines,
  randomFloats,
  reference,
  runKernel,
} from "../../../support/kernels/run-kernel.ts";
import { kept, keptTile } from "../../../support/kernels/kept-attention.ts";

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
      const kernel = kept(profile, {
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
    ["f32", 4, 4, 16, 8, 37, 5],
    ["f32", 4, 2, 128, 64, 9, 140],
  ] as const)(
    "keys in two parts give what whole ones do, to the last bit: %s, %d heads in %d groups of %d and %d columns",
    (dtype, heads, groups, first, rest, s, past) => {
      const [t, dim] = [past + s, first + rest];
      const heading = (count: number, width: number) => ({ dtype, heads: count, width });
      const spec = { q: heading(heads, dim), v: heading(groups, 24), out: heading(heads, 24), scale: 0.3, queries: s }; // prettier-ignore
      const apart = kept(profile, { ...spec, k: { ...heading(groups, first), headStride: first + 24, rowStride: groups * (first + 24) }, tail: { dtype, heads: 1, width: rest, rowStride: 2 * rest } }); // prettier-ignore
      expect(faultsOf(apart, profile, [{ B: 1, S: 1, P: 0 }, { B: 1, S: 90, P: 40 }])).toEqual([]); // prettier-ignore
      const own = randomFloats("k", t * groups * (first + 24));
      const tail = randomFloats("tail", 2 * t * rest);
      const whole = Float32Array.from({ length: t * groups * dim }, (_x, i) => {
        const [row, column] = [Math.floor(i / dim), i % dim];
        const there = column < first ? own[row * (first + 24) + column] : tail[2 * Math.floor(row / groups) * rest + column - first]; // prettier-ignore
        return there ?? 0;
      });
      const [q, v] = [randomFloats("q", s * heads * dim), randomFloats("v", t * groups * 24)];
      const sizes = { B: 1, S: s, P: past };
      const found = runKernel(apart, profile, sizes, { q, k: own, tail, v }).out;
      const together = kept(profile, { ...spec, k: heading(groups, dim) });
      expect(found).toEqual(runKernel(together, profile, sizes, { q, k: whole, v }).out);
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
      const kernel = kept(profile, {
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
    [8, 64, 48, false, 1, 700],
    [4, 64, 64, true, 1, 300],
    [6, 48, 32, false, 3, 260],
  ] as const)(
    "keys in pieces: %d heads of %d columns, values of %d, apart: %s; 2 sequences of %d behind %d",
    (heads, dim, width, apart, s, past) => {
      const [b, t] = [2, past + s];
      const spec = {
        q: { dtype: "bf16", heads, width: dim },
        k: { dtype: "bf16", heads: 1, width: dim },
        ...(apart && { v: { dtype: "bf16", heads: 1, width } as const }),
        out: { dtype: "bf16", heads, width },
        scale: 0.2,
        queries: s,
      } as const;
      const tile = { ...keptTile(profile, spec), pieces: 3 };
      const kernel = attention(profile, spec, tile);
      expect(faultsOf(kernel, profile, [{ B: 1, S: 1, P: 0 }, { B: 9, S: s, P: 400 }])).toEqual([]); // prettier-ignore
      const together = combine(profile, { pieces: 3, width, out: "bf16" });
      expect(faultsOf(together, profile, [{ S: 1 }, { S: 3000 }])).toEqual([]);
      const round = roundingTo("bf16");
      const q = randomFloats("q", b * s * heads * dim).map(round);
      const k = randomFloats("k", b * t * dim).map(round);
      const v = randomFloats("v", b * t * width).map(round);
      const { partial = [], weights = [], maxima = [] } = runKernel(kernel, profile, { B: b, S: s, P: past }, { q, k, ...(apart && { v }) }); // prettier-ignore
      const { out = [] } = runKernel(together, profile, { S: b * s * heads }, { partial, weights, maxima });
      const n = s * heads;
      for (let i = 0; i < b; i++) {
        const keys = k.slice(i * t * dim, (i + 1) * t * dim);
        const values = apart ? v.slice(i * t * width, (i + 1) * t * width) : Float32Array.from({ length: t * width }, (_x, j) => keys[Math.floor(j / width) * dim + (j % width)] ?? 0); // prettier-ignore
        const [expected] = reference("attention", [floats([s, heads, dim], q.slice(i * n * dim, (i + 1) * n * dim)), floats([t, 1, dim], keys), floats([t, 1, width], values)], { scale: 0.2 }, [s, heads, width]); // prettier-ignore
        expect(farthest(out.slice(i * n * width, (i + 1) * n * width), expected?.data ?? [])).toBeLessThan(tolerance.bf16); // prettier-ignore
      }
    },
  );

  test("one sequence that decodes keeps most groups busy, and is faster for it", () => {
    const spec = {
      q: { dtype: "bf16", heads: 128, width: 576 },
      k: { dtype: "bf16", heads: 1, width: 576 },
      out: { dtype: "bf16", heads: 128, width: 512 },
      scale: 0.1,
      queries: 1,
    } as const;
    const launch = { sizes: new Map([["B", 1], ["S", 1], ["P", 16383]]) }; // prettier-ignore
    const whole = time(kept(profile, spec), profile, launch);
    const cut = { ...spec, sequences: 1, keys: 16384 };
    const { pieces } = keptTile(profile, cut);
    const parts = time(kept(profile, cut), profile, launch);
    const together = time(combine(profile, { pieces, width: 512, out: "bf16" }), profile, { sizes: new Map([["S", 128]]) }); // prettier-ignore
    expect(parts.working).toBeGreaterThan(0.75 * profile.groups.value);
    expect(parts.cycles + together.cycles + profile.launch.value * profile.clock.value).toBeLessThan(0.4 * whole.cycles); // prettier-ignore
  });

  test.each([
    ["decoding, bound by the memory,", 16, undefined, 96, 1, 2047],
    ["decoding, bound by the units,", 128, undefined, 96, 1, 2047],
    ["prefill", 16, 128, 1, 1024, 0],
  ] as const)(
    "%s takes the time that walking through every turn gives, within 1 %%",
    (_name, heads, width, b, s, past) => {
      const dim = width ? 192 : 576;
      const kernel = kept(profile, {
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
