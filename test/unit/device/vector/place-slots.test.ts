/** Slots counted by one kernel and placed by the next, on data; and which kernels a layer of experts sorts them by. */
import { describe, expect, test } from "vitest";
import { deviceOf } from "../../../../src/driver/target.ts";
import { parseModule } from "../../../../src/ir/parser.ts";
import { isLaunch } from "../../../../src/plan/program/device.ts";
import { countSlots } from "../../../../targets/device/kernels/vector/count-slots.ts";
import { placeSlots } from "../../../../targets/device/kernels/vector/place-slots.ts";
import { precisionOf } from "../../../../targets/device/precision.ts";
import { attentionChooser, tileChooser } from "../../../../targets/device/search/chooser.ts";
import { deviceTarget } from "../../../../targets/device/target.ts";
import { profiles } from "../../../../targets/index.ts";
import { faultsOf, machines, runKernel } from "../../../support/kernels/run-kernel.ts";
import { randomSource } from "../../../support/random.ts";

/** Choices of s tokens, each of k different experts; the greatest expert is never chosen. */
function choices(s: number, k: number, experts: number): number[] {
  const next = randomSource("choices");
  return Array.from({ length: s }, () => {
    const all = Array.from({ length: experts - 1 }, (_, e) => [next(), e] as const);
    return all.sort(([a], [b]) => a - b).slice(0, k).map(([, e]) => e); // prettier-ignore
  }).flat();
}

/** Where groups begin, and the last ends: behind as many slots as are of experts below. */
const begins = (indices: readonly number[], experts: number): readonly number[] =>
  Array.from({ length: experts + 1 }, (_, e) => indices.filter((it) => it < e).length);

/** Where each slot stands in the order of experts, slots of one in their own. */
function places(indices: readonly number[]): readonly number[] {
  const order = indices.map((_, slot) => slot).sort((a, b) => (indices[a] ?? 0) - (indices[b] ?? 0) || a - b);
  const found = Array<number>(indices.length).fill(0);
  order.forEach((slot, p) => (found[slot] = p));
  return found;
}

/** A layer of 256 experts of which each token chooses 8. */
const layer = `
func @prefill(%ids: i32[S], %positions: i32[S]) {
  %0 = weight() {recipe=source("x", bf16[8,64])} : bf16[8,64]
  %1 = gather(%0, %ids) : f32[S,64]
  %2 = weight() {recipe=source("gate", bf16[256,64])} : bf16[256,64]
  %3 = linear(%1, %2) : f32[S,256]
  %4, %5 = router(%3) {topK=8, scoring=softmax, groups=1, topGroups=1, groupScore=max, normalize=true, scale=1} : i32[S,8], f32[S,8]
  %6 = weight() {recipe=source("up", bf16[256,64,64])} : bf16[256,64,64]
  %7 = weight() {recipe=source("down", bf16[256,64,32])} : bf16[256,64,32]
  %8 = experts(%1, %4, %5, %6, %7) : f32[S,64]
  return logits=%8
}
`;

describe.each(machines)("on %s", (_, profile) => {
  test.each([
    [4096, ["countSlots", "placeSlots"]],
    [64, ["groupSlots"]],
  ])("slots of at most %d tokens are sorted by %j", (batchTokens, kernels) => {
    const { plans } = deviceTarget([{ module: parseModule(layer, "layer.mir"), profile }], {
      precision: (it) => precisionOf(it, false),
      tiles: (it) => tileChooser(it, 1, new Map()),
      attentionTiles: (it) => attentionChooser(it, new Map()),
      context: 4096,
      batchTokens,
      groups: 1,
    });
    const launches = plans.flatMap(({ programs }) => programs.flatMap(({ steps }) => steps.filter(isLaunch)));
    const names = launches.map(({ kernel }) => kernel.replace(/_.*/, ""));
    expect(names.filter((it) => it.endsWith("Slots"))).toEqual(kernels);
  });

  test.each([
    [1, 2, 8, false],
    [57, 6, 160, false],
    [700, 8, 256, false],
    [4096, 4, 32, false],
    [1, 1, 2, false],
    [300, 2, 3, false],
    [900, 8, 9, false],
    [40, 3, 1500, false],
    [23, 3, 4, true],
    [900, 8, 64, true],
  ])("the slots of %d tokens, %d each, of %d experts, some elsewhere: %s", (s, topK, experts, partial) => {
    const spec = { experts, topK, partial };
    const [count, place] = [countSlots(profile, spec), placeSlots(profile, spec)];
    for (const kernel of [count, place]) expect(faultsOf(kernel, profile, [{ S: 1 }, { S: 41 }, { S: 9000 }])).toEqual([]); // prettier-ignore
    const all = choices(s, topK, partial ? 2 * experts : experts);
    const indices = partial ? all.map((e) => (e < experts ? e : -1)) : all;
    const { counts } = runKernel(count, profile, { S: s }, { indices });
    const found = runKernel(place, profile, { S: s }, { indices, counts: [...(counts ?? [])] });
    expect([...(found.offsets ?? [])]).toEqual(begins(indices, experts));
    const here = (it: number, slot: number): number => (indices[slot] === -1 ? -1 : it);
    expect([...(found.place ?? [])].map(here)).toEqual(places(indices).map(here));
  });
});

test.each(profiles.flatMap((it) => deviceOf(it) ?? []).map((it) => [it.name, it] as const))(
  "on %s both fit, whatever the experts",
  (_, profile) => {
    for (const [experts, topK] of [[1, 1], [33, 4], [384, 8]] as const) // prettier-ignore
      for (const maker of [countSlots, placeSlots])
        expect(faultsOf(maker(profile, { experts, topK, partial: true }), profile, [{ S: 5000 }])).toEqual([]); // prettier-ignore
  },
);
