/** Attention over many queries whose scores vector cores take a few rows at a time. */
import { describe, expect, test } from "vitest";
import { floats } from "../../../../src/interp/tensor.ts";
import { peakMatrixOps, microseconds } from "../../../../src/machine/rates.ts";
import { roundingTo } from "../../../../src/machine/simulate/rounding.ts";
import { time } from "../../../../src/machine/simulate/time.ts";
import { ascend910b3 } from "../../../../targets/ascend/profiles/910.ts";
import { ascend950pr } from "../../../../targets/ascend/profiles/950.ts";
import {
  attention,
  shapeOf,
  type AttentionSpec,
} from "../../../../targets/device/kernels/attention/attention.ts";
import { isSliced, slicedTiles } from "../../../../targets/device/kernels/attention/sliced-tile.ts";
import { bestAttention } from "../../../../targets/device/search/attention.ts";
import {
  farthest,
  faultsOf,
  randomFloats,
  reference,
  runKernel,
} from "../../../support/kernels/run-kernel.ts";

const round = roundingTo("bf16");

const apart = (heads: number, groups: number, dim: number, width: number, queries: number) =>
  ({
    q: { dtype: "bf16", heads, width: dim },
    k: { dtype: "bf16", heads: groups, width: dim },
    v: { dtype: "bf16", heads: groups, width },
    out: { dtype: "bf16", heads, width },
    scale: 0.3,
    queries,
  }) as const satisfies AttentionSpec;

describe.each([ascend910b3, ascend950pr].map((it) => [it.name, it] as const))("on %s", (_, profile) => {
  test.each([
    [2, 2, 192, 128, 1, 70, 20],
    [2, 2, 192, 128, 1, 140, 700],
    [3, 3, 64, 48, 2, 300, 0],
    [8, 2, 64, 64, 2, 37, 611],
    [4, 1, 128, 128, 1, 1, 1300],
    [6, 2, 64, 32, 1, 90, 33],
  ])(
    "%d heads in %d groups of %d columns, values of %d; %d sequences of %d behind %d: what the interpreter finds",
    (heads, groups, dim, width, b, s, past) => {
      const t = past + s;
      const spec = apart(heads, groups, dim, width, Math.max(s, 40));
      const q = randomFloats("q", b * s * heads * dim).map(round);
      const k = randomFloats("k", b * t * groups * dim).map(round);
      const v = randomFloats("v", b * t * groups * width).map(round);
      const [tile] = slicedTiles(profile, shapeOf(spec), 1);
      if (!tile) throw new Error("it is not cut so");
      const kernel = attention(profile, spec, tile);
      const { out = [] } = runKernel(kernel, profile, { B: b, S: s, P: past }, { q, k, v });
      const part = (x: Float32Array<ArrayBuffer>, i: number, ...shape: number[]) => {
        const n = shape.reduce((a, d) => a * d, 1);
        return floats(shape, x.slice(i * n, (i + 1) * n));
      };
      for (let i = 0; i < b; i++) {
        const [expected] = reference("attention", [part(q, i, s, heads, dim), part(k, i, t, groups, dim), part(v, i, t, groups, width)], { scale: spec.scale }, [s, heads, width]); // prettier-ignore
        const n = s * heads * width;
        expect(farthest(out.slice(i * n, (i + 1) * n), expected?.data ?? [])).toBeLessThan(1 / 100);
      }
    },
  );

  test.each([apart(128, 128, 192, 128, 4096), apart(32, 8, 128, 128, 512), apart(6, 2, 48, 32, 64)])(
    "no faults",
    (spec) => {
      for (const tile of slicedTiles(profile, shapeOf(spec), 4)) {
        const trials = [{ B: 1, S: 1, P: 0 }, { B: 1, S: 130, P: 0 }, { B: 3, S: 64, P: 1700 }, { B: 40, S: 20, P: 5 }]; // prettier-ignore
        expect(faultsOf(attention(profile, spec, tile), profile, trials)).toEqual([]);
      }
    },
  );
});

test("prefill of 4096 positions keeps the matrix units busy for 60 % of the time, what causality hides not counted", () => {
  const spec = { ...apart(128, 128, 192, 128, 4096), sequences: 1, keys: 4096 };
  const tile = bestAttention(ascend910b3, spec);
  expect(isSliced(tile)).toBe(true);
  const kernel = attention(ascend910b3, spec, tile);
  const launch = { sizes: new Map([["B", 1], ["S", 4096], ["P", 0]]) }; // prettier-ignore
  const [quick, whole] = [time(kernel, ascend910b3, launch), time(kernel, ascend910b3, launch, () => {})];
  expect(Math.abs(quick.cycles / whole.cycles - 1)).toBeLessThan(0.01);
  const ops = 2 * 128 * (192 + 128) * ((4096 * 4097) / 2);
  const share = ops / (microseconds(ascend910b3, whole.cycles) * 1e-6) / peakMatrixOps(ascend910b3, "bf16");
  expect(share).toBeGreaterThan(0.6);
});
