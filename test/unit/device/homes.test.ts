/** Values are made where their only reader would bring them, and rounded by whoever makes them; where something else reads them they stay where they were. */
import { describe, expect, test } from "vitest";
import { parseModule } from "../../../src/ir/parser.ts";
import { isLaunch, type DeviceLaunch } from "../../../src/plan/program/device.ts";
import { precisionOf } from "../../../targets/device/precision.ts";
import { attentionChooser, tileChooser } from "../../../targets/device/search/chooser.ts";
import { deviceTarget } from "../../../targets/device/target.ts";
import { machines } from "../../support/kernels/run-kernel.ts";

const matrix = (name: string, n: number, k: number): string =>
  `weight() {recipe=source("${name}", bf16[${n},${k}])} : bf16[${n},${k}]`;

/** A product [S, 2, 96] whose last 32 columns of each head are turned and put behind the first 64 again, and what else there is. */
const turned = (more: string, results: string): string => `
func @prefill(%ids: i32[S], %positions: i32[S]) {
  %0 = ${matrix("embed", 8, 64)}
  %1 = gather(%0, %ids) : f32[S,64]
  %2 = ${matrix("q", 192, 64)}
  %3 = linear(%1, %2) : f32[S,192]
  %4 = reshape(%3) {dims=[S, 2, 96]} : f32[S,2,96]
  %5 = slice(%4) {axis=2, begin=0, end=64} : f32[S,2,64]
  %6 = slice(%4) {axis=2, begin=64, end=96} : f32[S,2,32]
  %7 = constant() {dtype=f32, dims=[16], values=[1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04]} : f32[16]
  %8 = rope(%6, %positions, %7) {pairs=halves, scale=1} : f32[S,2,32]
  %9 = concat(%5, %8) {axis=2} : f32[S,2,96]
  %10 = reshape(%9) {dims=[S, 192]} : f32[S,192]
  %11 = ${matrix("o", 16, 192)}
  %12 = linear(%10, %11) : f32[S,16]
  ${more}
  return logits=%12${results}
}
`;

const rounds = (more: string): string => `
func @prefill(%ids: i32[S], %positions: i32[S]) {
  %0 = ${matrix("embed", 8, 64)}
  %1 = gather(%0, %ids) : f32[S,64]
  %2 = weight() {recipe=source("gain", bf16[64])} : bf16[64]
  %3 = rmsNorm(%1, %2) {eps=0.000001} : f32[S,64]
  %4 = weight() {recipe=source("a", i8[32,64])} : i8[32,64]
  %5 = weight() {recipe=source("as", f32[32,1])} : f32[32,1]
  %6 = integerLinear(%3, %4, %5) {group=64, bits=8} : f32[S,32]
  %7 = integerLinear(%3, %4, %5) {group=64, bits=8} : f32[S,32]
  %8 = add(%6, %7) : f32[S,32]
  ${more}
  return logits=%8
}
`;

describe.each(machines)("on %s", (_, profile) => {
  const launches = (text: string): readonly DeviceLaunch[] => {
    const { plans } = deviceTarget([{ module: parseModule(text, "homes.mir"), profile }], {
      precision: (it) => precisionOf(it, true),
      tiles: (it) => tileChooser(it, 1, new Map()),
      attentionTiles: (it) => attentionChooser(it, new Map()),
      context: 64,
      batchTokens: 16,
      groups: 1,
    });
    return plans.flatMap(({ programs }) => programs.flatMap(({ steps }) => steps.filter(isLaunch)));
  };
  const kinds = (text: string): readonly string[] =>
    launches(text).map(({ kernel }) => kernel.replace(/_.*/, ""));

  test("what is turned and put together again as it lay is turned in its place", () => {
    const all = launches(turned("", ""));
    expect(kinds(turned("", ""))).toEqual(["gather", "linear", "rope", "linear"]);
    const [x, out] = ["x", "out"].map((name) => all[2]?.operands.find((it) => it.tensor === name));
    expect(out).toEqual({ ...x, tensor: "out" });
  });

  test.each([
    ["the turned part as it was", `%13 = rope(%6, %positions, %7) {pairs=halves, scale=1} : f32[S,2,32]`],
    ["the whole as it was", `%13 = silu(%3) : f32[S,192]`],
    ["a part that overlaps it", `%13 = slice(%4) {axis=2, begin=60, end=70} : f32[S,2,10]`],
  ])("but not where something reads %s", (_what, more) => {
    expect(kinds(turned(more, "")).filter((it) => it === "copy")).toHaveLength(1);
  });

  test("nor where the caller does", () => {
    expect(kinds(turned("", ", whole=%3")).filter((it) => it === "copy")).toHaveLength(1);
  });

  test("a norm rounds its rows once for all products that read them", () => {
    const all = launches(rounds(""));
    expect(kinds(rounds("")).join()).toMatch(
      /^gather,rmsNorm,(integerLinear|linear),(integerLinear|linear),add$/,
    );
    expect(all[1]?.operands.map((it) => it.tensor)).toEqual(["x", "gain", "codes", "scales"]);
  });

  const added = (more: string): readonly string[] =>
    kinds(`
func @prefill(%ids: i32[S], %positions: i32[S]) {
  %0 = ${matrix("embed", 8, 64)}
  %1 = gather(%0, %ids) : f32[S,64]
  %2 = silu(%1) : f32[S,64]
  %3 = mul(%1, %2) : f32[S,64]
  %4 = add(%2, %3) : f32[S,64]
  %5 = weight() {recipe=source("gain", bf16[64])} : bf16[64]
  %6, %7 = addRmsNorm(%1, %4, %5) {eps=0.000001} : f32[S,64], f32[S,64]
  ${more}
  return logits=%7
}
`);

  test("a sum that only a norm adds is left to the norm", () => {
    expect(added("")).toEqual(["gather", "silu", "mul", "addAddRmsNorm"]);
    expect(added("%8 = silu(%4) : f32[S,64]")).toEqual(["gather", "silu", "mul", "add", "addRmsNorm", "silu"]); // prettier-ignore
  });

  test("and gives them as numbers too where something else reads them", () => {
    const all = launches(rounds(`%9 = silu(%3) : f32[S,64]`));
    expect(all[1]?.operands.map((it) => it.tensor)).toEqual(["x", "gain", "codes", "scales", "out"]);
  });
});
