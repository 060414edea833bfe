/** Sums of codes are left to those who read the result where that is faster in all, whoever it is that scales them in the end. */
import { describe, expect, test } from "vitest";
import { parseModule } from "../../../src/ir/parser.ts";
import { isLaunch } from "../../../src/plan/program/device.ts";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";
import { precisionOf } from "../../../targets/device/precision.ts";
import { attentionChooser, tileChooser } from "../../../targets/device/search/chooser.ts";
import { deviceTarget } from "../../../targets/device/target.ts";

const weight = (dtype: string, name: string, ...dims: readonly number[]): string =>
  `weight() {recipe=source("${name}", ${dtype}[${dims.join()}])} : ${dtype}[${dims.join()}]`;

/** A shared expert's last product, which a norm adds to the residual with what other experts gave; `more` makes the result, %20, of the norm, %11. */
const down = (more: string): string => `
func @prefill(%ids: i32[S], %positions: i32[S]) {
  %0 = ${weight("bf16", "x", 8, 2048)}
  %1 = gather(%0, %ids) : f32[S,2048]
  %2 = ${weight("bf16", "h", 8, 7168)}
  %3 = gather(%2, %ids) : f32[S,7168]
  %4 = silu(%3) : f32[S,7168]
  %5 = ${weight("i8", "w", 7168, 2048)}
  %6 = ${weight("f32", "s", 7168, 1)}
  %7 = integerLinear(%1, %5, %6) {group=2048, bits=8} : f32[S,7168]
  %8 = ${weight("bf16", "gain", 7168)}
  %9 = add(%4, %7) : f32[S,7168]
  %10, %11 = addRmsNorm(%3, %9, %8) {eps=0.000001} : f32[S,7168], f32[S,7168]
  ${more}
  return logits=%20
}
`;

const kernelsOf = (text: string): readonly string[] => {
  const { plans } = deviceTarget([{ module: parseModule(text, "down.mir"), profile: ascend910b3 }], {
    precision: (it) => precisionOf(it, true),
    tiles: (it) => tileChooser(it, 1, new Map()),
    attentionTiles: (it) => attentionChooser(it, new Map()),
    context: 64,
    batchTokens: 8,
    groups: 1,
  });
  return plans.flatMap(({ programs }) =>
    programs.flatMap(({ steps }) => steps.filter(isLaunch).map(({ kernel }) => kernel)),
  );
};

/** The kernels of the product and of the norm, without their sizes and tiles. */
const chosen = (more: string): readonly string[] =>
  kernelsOf(down(more))
    .filter((it) => /7168x2048|Norm/.test(it))
    .map((it) => it.replace(/_t[0-9x]+$/, ""));

describe("the sums of a product that a norm adds to the residual", () => {
  test("are left to the norm where that is faster in all", () => {
    expect(chosen("%20 = silu(%11) : f32[S,7168]")).toEqual(["linear_7168x2048_i8_i32", "addAddRmsNorm_7168_f32"]); // prettier-ignore
  });

  test("are scaled by the product where the norm, which rounds its rows besides, would take longer for it than is saved", () => {
    const [w, s] = [weight("i8", "v", 64, 7168), weight("f32", "vs", 64, 1)];
    const rounds = `%12 = ${w}
  %13 = ${s}
  %14 = hadamard(%11) {block=1024} : f32[S,7168]
  %20 = integerLinear(%14, %12, %13) {group=7168, bits=8} : f32[S,64]`;
    expect(chosen(rounds)).toEqual(["integerLinear_7168x2048_i8_i8_f32", "addAddRmsNorm_7168_f32_i8"]);
  });
});
