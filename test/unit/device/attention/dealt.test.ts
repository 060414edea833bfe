/** Attention in float32 whose columns core groups share. */
import { describe, expect, test } from "vitest";
import type { Profile } from "../../../../src/machine/profile.ts";
import { attention, attentionScores, shapeOf, type AttentionSpec } from "../../../../targets/device/kernels/attention/attention.ts"; // prettier-ignore
import { dealtTiles, isDealt } from "../../../../targets/device/kernels/attention/dealt.ts";
import { profiles } from "../../../../targets/index.ts";
import { precisionOf } from "../../../../targets/device/precision.ts";
import { bestAttention, cyclesOf } from "../../../../targets/device/search/attention.ts";
import { kept, keptTile } from "../../../support/kernels/kept-attention.ts";
import { faultsOf, machines, randomFloats, runKernel } from "../../../support/kernels/run-kernel.ts";

const latent = (heads: number, dim: number, width: number, keys: number): AttentionSpec => ({
  q: { dtype: "f32", heads, width: dim },
  k: { dtype: "f32", heads: 1, width: dim },
  out: { dtype: "f32", heads, width },
  scale: 0.3,
  queries: 1,
  sequences: 1,
  keys,
});

const apart = (heads: number, groups: number, width: number, keys: number): AttentionSpec => ({
  ...latent(heads, width, width, keys),
  k: { dtype: "f32", heads: groups, width },
  v: { dtype: "f32", heads: groups, width },
});

const dealt = (profile: Profile, spec: AttentionSpec) => {
  const tiles = dealtTiles(profile, shapeOf(spec), 2);
  expect(tiles.length).toBeGreaterThan(0);
  return tiles;
};

describe.each(machines)("on %s", (_, profile) => {
  test.each([
    ["a latent cache", latent(20, 576, 512, 100), 1, 77],
    ["a latent cache, two sequences", latent(6, 96, 64, 100), 2, 96],
    ["heads that share keys", apart(8, 2, 128, 300), 1, 299],
    ["one position", apart(3, 3, 64, 40), 1, 0],
    ["columns of which the last group has fewer", latent(4, 110, 100, 100), 2, 70],
    ["so many columns that nothing divides them", apart(4, 2, 97, 100), 1, 70],
  ])("%s: the bits of sums that one group keeps", (_name, spec, b, past) => {
    const { q, k, v, out } = spec;
    const t = past + 1;
    const given = {
      q: randomFloats("q", b * (q.heads ?? 1) * q.width),
      k: randomFloats("k", b * t * (k.heads ?? 1) * k.width),
      ...(v && { v: randomFloats("v", b * t * (v.heads ?? 1) * v.width) }),
    };
    const sizes = { B: b, S: 1, P: past };
    const { sequences: _s, keys: _k, ...plain } = spec;
    const expected = runKernel(kept(profile, plain), profile, sizes, given)["out"] ?? [];
    const { scores = [] } = runKernel(attentionScores(profile, spec), profile, sizes, given);
    for (const tile of dealt(profile, spec)) {
      const kernel = attention(profile, spec, tile);
      const found = runKernel(kernel, profile, sizes, { scores, v: given.v ?? given.k })["out"] ?? [];
      expect(found.length).toBe(b * (out.heads ?? 1) * out.width);
      expect([...found]).toEqual([...expected]);
    }
  });

  test("no faults", () => {
    for (const spec of [latent(128, 576, 512, 4096), apart(32, 8, 128, 4096), latent(1, 462, 454, 64)]) {
      const trials = [{ B: 1, S: 1, P: 0 }, { B: 3, S: 1, P: 1000 }]; // prettier-ignore
      expect(faultsOf(attentionScores(profile, spec), profile, trials)).toEqual([]);
      for (const tile of dealt(profile, spec))
        expect(faultsOf(attention(profile, spec, tile), profile, trials)).toEqual([]);
    }
  });

  test("one sequence of 16 heads takes at most three quarters of the time so", () => {
    const spec = latent(16, 576, 512, 4096);
    const best = bestAttention(profile, spec);
    expect(isDealt(best)).toBe(true);
    expect(cyclesOf(profile, spec, best)).toBeLessThan(0.75 * cyclesOf(profile, spec, keptTile(profile, spec))); // prettier-ignore
  });

  test.each([454, 457, 468, 500])("one head of a latent cache of %i columns is cut to fit", (width) => {
    const spec = latent(1, width + 8, width, 4096);
    const kernel = attention(profile, spec, bestAttention(profile, spec));
    expect(faultsOf(kernel, profile, [{ B: 1, S: 1, P: 100 }])).toEqual([]);
  });
});

describe.each(profiles.filter((it) => it.name !== "cpu").map((it) => [it.name, it] as const))(
  "DeepSeek-V3's decoding attention fits %s",
  (_, profile) => {
    const operandOf = (isQuantized: boolean) => precisionOf(profile, isQuantized).operand;
    const isApart = { "latent keys": false, "values staged apart from keys": true };
    test.each(
      [false, true].flatMap((q) => Object.entries(isApart).map(([name, it]) => [q, name, it] as const)),
    )("quantized: %o, %s", (isQuantized, _name, hasValues) => {
      const dtype = operandOf(isQuantized);
      const { q, k, ...rest } = latent(128, 576, 512, 4096);
      const spec = {
        ...rest,
        q: { ...q, dtype },
        k: { ...k, dtype },
        ...(hasValues && { v: { dtype, heads: 1, width: 512 } }),
      };
      const cut = bestAttention(profile, spec);
      expect(attention(profile, spec, cut).parts.length).toBeGreaterThan(0);
    });
  },
);
