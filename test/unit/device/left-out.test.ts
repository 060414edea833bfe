/** Kernels whose turns differ take the time that walking through every turn gives, within 1 %. */
import { expect, test } from "vitest";
import { zipfOffsets } from "../../../src/plan/program/row-blocks.ts";
import type { GemmSpec } from "../../../targets/device/kernels/matrix/spec.ts";
import { time, type TimedLaunch } from "../../../src/machine/simulate/time.ts";
import type { Kernel } from "../../../src/machine/schedule/kernel.ts";
import type { Profile } from "../../../src/machine/profile.ts";
import { drawKernels } from "../../../fixtures/scripts/random-kernels.ts";
import { wholeTime } from "../../../fixtures/scripts/whole-time.ts";
import { gemm } from "../../../targets/device/kernels/matrix/gemm.ts";
import { ascend950pr } from "../../../targets/ascend/profiles/950.ts";
import { attention } from "../../../targets/device/kernels/attention/attention.ts";
import { attentionCuts } from "../../../targets/device/search/attention.ts";
import { bestTile, productLaunch } from "../../../targets/device/search/search.ts";
import { kept } from "../../support/kernels/kept-attention.ts";
import { machines } from "../../support/kernels/run-kernel.ts";

function apart(kernel: Kernel, profile: Profile, launch: TimedLaunch): number {
  const [quick, whole] = [time(kernel, profile, launch), time(kernel, profile, launch, () => {})];
  expect(quick.walked).toBeLessThan(whole.walked);
  return Math.abs(quick.cycles / whole.cycles - 1);
}

test.each(machines)("on %s, experts most of which have nothing to do", (_, profile) => {
  const spec = { a: { dtype: "bf16", width: 2048 }, w: { kind: "plain", dtype: "bf16" }, out: { dtype: "bf16", width: 1024 }, experts: 256 } as const satisfies GemmSpec; // prettier-ignore
  for (const rows of [16, 64]) {
    const { tile } = bestTile(profile, spec, rows, 1);
    const kernel = gemm(profile, spec, tile);
    expect(apart(kernel, profile, productLaunch(spec, tile, rows))).toBeLessThan(0.01);
  }
});

test.each(machines)("on %s, experts some of which have many times the rows of others", (_, profile) => {
  const spec = { a: { dtype: "bf16", width: 4096 }, w: { kind: "plain", dtype: "bf16" }, out: { dtype: "bf16", width: 4096 }, experts: 64 } as const satisfies GemmSpec; // prettier-ignore
  for (const rows of [500, 3000]) {
    const { tile } = bestTile(profile, spec, rows, 1);
    const launch = productLaunch(spec, tile, rows, zipfOffsets(64, rows, 1));
    expect(apart(gemm(profile, spec, tile), profile, launch)).toBeLessThan(0.01);
  }
});

test.each(machines)("on %s, causal attention of many heads behind a cache", (_, profile) => {
  const heads = 96;
  const spec = { q: { dtype: "bf16", heads, width: 192 }, k: { dtype: "bf16", heads, width: 192 }, v: { dtype: "bf16", heads, width: 128 }, out: { dtype: "bf16", heads, width: 128 }, scale: 0.1, queries: 1500 } as const; // prettier-ignore
  const launch = { sizes: new Map([["B", 1], ["S", 1500], ["P", 700]]) }; // prettier-ignore
  expect(apart(kept(profile, spec), profile, launch)).toBeLessThan(0.01);
});

test("causal attention in any cut, whose turns are told from such as come only later", () => {
  const view = (width: number) => ({ dtype: "bf16", heads: 128, width }) as const;
  const spec = { q: view(192), k: view(192), v: view(128), out: view(128), scale: 0.1, queries: 2048, sequences: 1, keys: 2048 } as const; // prettier-ignore
  const launch = { sizes: new Map([["B", 1], ["S", 2048], ["P", 0]]) }; // prettier-ignore
  for (const cut of attentionCuts(ascend950pr, spec))
    expect(apart(attention(ascend950pr, spec, cut), ascend950pr, launch)).toBeLessThan(0.01);
});

test.each(machines)("on %s, a cache that is read once is read whole, though a pipeline fills and drains", (_, profile) => {
  const [sequences, keys] = [2 * profile.groups.value, 2048];
  const spec = { q: { dtype: "bf16", heads: 16, width: 576 }, k: { dtype: "bf16", heads: 1, width: 576 }, out: { dtype: "bf16", heads: 16, width: 512 }, scale: 0.1, queries: 1 } as const; // prettier-ignore
  const { memoryBytes } = time(kept(profile, spec), profile, { sizes: new Map([["B", sequences], ["S", 1], ["P", keys - 1]]) }); // prettier-ignore
  const queries = 16 * (576 + 512);
  expect(memoryBytes / (2 * sequences * (keys * 576 + queries))).toBeCloseTo(1, 2);
}); // prettier-ignore

/** Instructions of kernels that are walked through here, and how many kernels each seed draws. */
const [affordable, ofSeed] = [20_000, 4];

test("kernels drawn at random, on any device", () => {
  let compared = 0;
  for (let seed = 1; compared < 24; seed++)
    for (const { name, profile, kernel, launch } of drawKernels(seed, ofSeed)) {
      const whole = wholeTime(kernel, profile, launch, affordable);
      if (whole === undefined) continue;
      const error = Math.abs(time(kernel, profile, launch).cycles / whole - 1);
      expect(error, `seed ${seed}: ${name}`).toBeLessThan(0.01);
      compared++;
    }
});
