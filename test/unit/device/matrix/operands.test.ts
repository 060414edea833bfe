/** How rows of products lie, and what becomes of their sums, is chosen with those who write the one and read the other. */
import { describe, expect, test } from "vitest";
import { parseModule } from "../../../../src/ir/parser.ts";
import type { Profile } from "../../../../src/machine/profile.ts";
import { ascend910b3 } from "../../../../targets/ascend/profiles/910.ts";
import { birenBr100 } from "../../../../targets/biren/profiles/br100.ts";
import { precisionOf } from "../../../../targets/device/precision.ts";
import { attentionChooser, tileChooser } from "../../../../targets/device/search/chooser.ts";
import { usualTrials } from "../../../../targets/device/search/search.ts";
import { deviceTarget } from "../../../../targets/device/target.ts";

const weight = (name: string, type: string): string =>
  `weight() {recipe=source("${name}", ${type})} : ${type}`;

/** Rows of 1536, normed, and what reads them. */
const normed = (readers: string, results: string): string => `
func @prefill(%ids: i32[S], %positions: i32[S]) {
  %0 = ${weight("embed", "bf16[8,1536]")}
  %1 = gather(%0, %ids) : f32[S,1536]
  %2 = ${weight("gain", "bf16[1536]")}
  %3 = rmsNorm(%1, %2) {eps=0.000001} : f32[S,1536]
  ${readers}
  return logits=${results}
}
`;
const product = `%4 = ${weight("q", "bf16[24576,1536]")}
  %5 = linear(%3, %4) : f32[S,24576]
  %6 = silu(%5) : f32[S,24576]`;

/** A product of codes [S, 1024], and what reads it. */
const summed = (readers: string, results: string): string =>
  normed(
    `%4 = ${weight("codes", "i8[1024,1536]")}
  %5 = ${weight("scales", "f32[1024,1]")}
  %6 = integerLinear(%3, %4, %5) {group=1536, bits=8} : f32[S,1024]
  ${readers}`,
    results,
  );
const secondNorm = `%7 = ${weight("second", "bf16[512]")}
  %8 = slice(%6) {axis=1, begin=512, end=1024} : f32[S,512]
  %9 = rmsNorm(%8, %7) {eps=0.000001} : f32[S,512]`;

describe("on a 910B3", () => {
  const texts = (text: string, batchTokens: number, isQuantized: boolean, profile: Profile = ascend910b3) => {
    const { kernels } = deviceTarget([{ module: parseModule(text, "operands.mir"), profile }], {
      precision: (it) => precisionOf(it, isQuantized),
      tiles: (it) => tileChooser(it, usualTrials, new Map()),
      attentionTiles: (it) => attentionChooser(it, new Map()),
      context: 256,
      batchTokens,
      groups: 1,
    });
    const of = (kind: string) => [...kernels.values()].find((it) => it.name.startsWith(kind));
    return (kind: string, tensor: string) => of(kind)?.tensors.find((it) => it.name === tensor);
  };

  test("rows of a few dozen tokens that a product alone reads lie in fractals, as they are written", () => {
    const tensor = texts(normed(product, "%6"), 96, false);
    expect([tensor("rmsNorm", "out")?.fractal, tensor("linear", "a")?.fractal]).toEqual([true, true]);
  });

  test.each([
    ["something else reads them", normed(`${product}\n  %7 = silu(%3) : f32[S,1536]`, "%6"), 96],
    ["the caller does", normed(product, "%6, rows=%3"), 96],
    ["they are no more than a fractal has", normed(product, "%6"), 16],
    ["the product waits for the matrix unit", normed(product, "%6"), 4096],
  ])("but not where %s", (_what, text, tokens) => {
    expect(texts(text, tokens, false)("linear", "a")?.fractal).toBe(false);
  });

  test("sums of codes leave as they are for a norm of some of their columns, which scales them", () => {
    const tensor = texts(summed(secondNorm, "%9"), 1, true);
    expect(tensor("linear", "out")?.dtype).toBe("i32");
    expect([tensor("rmsNorm_512", "x")?.dtype, tensor("rmsNorm_512", "xScales")?.dtype]).toEqual([
      "i32",
      "f32",
    ]);
  });

  test.each([
    ["something else reads them", `${secondNorm}\n  %10 = silu(%6) : f32[S,1024]`, "%9"],
    ["the caller does", secondNorm, "%9, sums=%6"],
  ])("but not where %s", (_what, readers, results) => {
    const tensor = texts(summed(readers, results), 1, true);
    expect([tensor("integerLinear", "out")?.dtype, tensor("rmsNorm_512", "xScales")]).toEqual(["f32", undefined]); // prettier-ignore
  });

  test("on cores that have both units nothing is handed over, and sums are scaled where they are", () => {
    expect(texts(summed(secondNorm, "%9"), 1, true, birenBr100)("integerLinear", "out")?.dtype).toBe("f32");
  });
});
