/** Attention whose sums stay in memory. */
import { describe, expect, test } from "vitest";
import { floats } from "../../../../src/interp/tensor.ts";
import { roundingTo } from "../../../../src/machine/simulate/rounding.ts";
import { time } from "../../../../src/machine/simulate/time.ts";
import { ascend910b3, ascend910c } from "../../../../targets/ascend/profiles/910.ts";
import {
  attention,
  shapeOf,
  type AttentionSpec,
} from "../../../../targets/device/kernels/attention/attention.ts";
import { combine } from "../../../../targets/device/kernels/attention/combine.ts";
import { isStored, storedTile } from "../../../../targets/device/kernels/attention/stored-tile.ts";
import { bestAttention, cyclesOfCall } from "../../../../targets/device/search/attention.ts";
import {
  farthest,
  faultsOf,
  randomFloats,
  reference,
  runKernel,
} from "../../../support/kernels/run-kernel.ts";
import { kept } from "../../../support/kernels/kept-attention.ts";

const profile = ascend910b3;
const round = roundingTo("bf16");

function storedOf(spec: AttentionSpec) {
  const found = storedTile(profile, shapeOf(spec));
  if (!found) throw new Error("it is not cut so");
  return found.tile;
}

const latent = (heads: number, dim: number, width: number, queries: number) =>
  ({
    q: { dtype: "bf16", heads, width: dim },
    k: { dtype: "bf16", heads: 1, width: dim },
    out: { dtype: "bf16", heads, width },
    scale: 0.3,
    queries,
  }) as const satisfies AttentionSpec;

describe("over a latent cache", () => {
  test.each([
    ["few keys", 32, 48, 32, 1, 5, 1, 1],
    ["scores that rise far", 32, 48, 32, 1, 1200, 1, 150],
    ["scores that rise, but not so far that sums must follow", 32, 48, 32, 1, 1200, 1, 3],
    ["two queries, several turns", 48, 64, 64, 2, 600, 1, 1],
    ["keys in pieces, some of which have none", 32, 48, 32, 2, 530, 5, 1],
    ["scores that rise far, in pieces", 32, 48, 32, 1, 2300, 2, 300],
  ] as const)("%s: what the interpreter finds", (_, heads, dim, width, s, past, pieces, steep) => {
    const [b, t, n] = [2, past + s, s * heads];
    const spec = latent(heads, dim, width, s);
    const tile = { ...storedOf(spec), pieces };
    const kernel = attention(profile, spec, tile);
    const q = randomFloats("q", b * n * dim).map((x) => round(1 + x));
    // Later keys are larger, so that maxima rise again and again.
    const k = randomFloats("k", b * t * dim).map((x, i) => round(x + (steep * (Math.floor(i / dim) % t)) / t / dim)); // prettier-ignore
    const given = runKernel(kernel, profile, { B: b, S: s, P: past }, { q, k });
    const { partial = [], weights = [], maxima = [] } = given;
    const { out = [] } = pieces === 1 ? given : runKernel(combine(profile, { pieces, width, out: "bf16" }), profile, { S: b * n }, { partial, weights, maxima }); // prettier-ignore
    for (let i = 0; i < b; i++) {
      const keys = k.slice(i * t * dim, (i + 1) * t * dim);
      const values = Float32Array.from({ length: t * width }, (_x, j) => keys[Math.floor(j / width) * dim + (j % width)] ?? 0); // prettier-ignore
      const [expected] = reference("attention", [floats([s, heads, dim], q.slice(i * n * dim, (i + 1) * n * dim)), floats([t, 1, dim], keys), floats([t, 1, width], values)], { scale: spec.scale }, [s, heads, width]); // prettier-ignore
      expect(farthest(out.slice(i * n * width, (i + 1) * n * width), expected?.data ?? [])).toBeLessThan(1 / 100); // prettier-ignore
    }
  });

  test.each([1, 3])("no faults, whether maxima rise or not; keys in %d pieces", (pieces) => {
    const spec = latent(128, 576, 512, 2);
    const kernel = attention(profile, spec, { ...storedOf(spec), pieces });
    const trials = [{ B: 1, S: 1, P: 0 }, { B: 30, S: 2, P: 1700 }]; // prettier-ignore
    for (const rises of [0, 1]) expect(faultsOf(kernel, profile, trials, () => () => rises)).toEqual([]);
  });
});

test("128 heads are faster so, 16 where the vector cores keep the sums", () => {
  const [many, few] = [latent(128, 576, 512, 2), latent(16, 576, 512, 1)];
  expect(isStored(bestAttention(ascend910c, many))).toBe(true);
  expect(isStored(bestAttention(ascend910c, few))).toBe(false);
  const launch = { sizes: new Map([["B", 48], ["S", 2], ["P", 4094]]) }; // prettier-ignore
  const before = time(kept(ascend910c, many), ascend910c, launch);
  const stored = attention(ascend910c, many, bestAttention(ascend910c, many));
  const [quick, whole] = [time(stored, ascend910c, launch), time(stored, ascend910c, launch, () => {})];
  expect(whole.cycles).toBeLessThan(0.85 * before.cycles);
  expect(Math.abs(quick.cycles / whole.cycles - 1)).toBeLessThan(0.01);
});

test("turns that bring sums to a new maximum take their time", () => {
  const spec = latent(128, 576, 512, 2);
  const cut = storedOf(spec);
  const taken = [0, 0.15, 1].map((rising) =>
    cyclesOfCall(profile, spec, cut, { sequences: 40, queries: 2, past: 2046, rising }),
  );
  expect(taken[1]).toBeGreaterThan(1.02 * (taken[0] ?? 0));
  expect(taken[2]).toBeGreaterThan(1.5 * (taken[1] ?? 0));
});
