/** Which kernels a module needs on Ascend. */
import { expect, test } from "vitest";
import { parseModule } from "../../../src/ir/parser.ts";
import { matrixKernels } from "../../../targets/ascend/kernels.ts";
import { ascend910b3 } from "../../../targets/ascend/profiles/910.ts";

const text = `func @prefill(%x: f32[S,192], %q: f32[S,4,32], %w: bf16[64,192], %h: bf16[4,48,32], %gate: bf16[8,192], %codes: i8[64,192], %scales: f32[64,1], %grouped: f32[64,6], %gu: bf16[8,96,192], %down: bf16[8,192,48]) {
  %0 = linear(%x, %w) : f32[S,64]
  %1 = linear(%x, %w) : f32[S,64]
  %2 = headLinear(%q, %h) : f32[S,4,48]
  %3 = linear(%x, %gate) : f32[S,8]
  %4, %5 = router(%3) {topK=2, scoring=softmax, groups=1, topGroups=1, groupScore=max, normalize=true, scale=1} : i32[S,2], f32[S,2]
  %6 = experts(%x, %4, %5, %gu, %down) : f32[S,192]
  %7 = integerLinear(%x, %codes, %scales) {group=192, bits=8} : f32[S,64]
  %8 = integerLinear(%x, %codes, %grouped) {group=32, bits=8} : f32[S,64]
  return out=%6
}
`;

test("every product becomes a kernel, products of one shape the same", () => {
  const { kernels, left } = matrixKernels(parseModule(text, "text"), ascend910b3, { tokens: 100, past: 0 });
  expect(kernels.map((it) => it.name)).toEqual([
    "gemm_64x192_bf16_bf16_t112x64x192_l1x2_l0cx2",
    "heads4_48x32_bf16_bf16_t112x48x32_l1x2_l0cx2",
    "gemm_8x192_bf16_f32_t112x16x192_l1x2_l0cx2", // a router chooses by unrounded logits
    "grouped8_96x192_bf16_bf16_t32x96x192_l1x2_l0cx2",
    "grouped8_192x48_bf16_bf16_t32x192x48_l1x2_l0cx2",
    "gemm_64x192_i8_bf16_dequantize_t112x64x192_l1x2_l0cx2",
  ]);
  expect(kernels[0]?.uses.map(({ rows, count }) => [rows, count])).toEqual([[100, 2]]);
  expect(kernels[3]?.uses.map((it) => it.rows)).toEqual([200]);
  expect(left.map((it) => it.why)).toEqual(["32 columns share a scale, a kernel sums over all of them"]);
});

test("who searches for tiles is told the product and its rows", () => {
  const asked: string[] = [];
  const { kernels } = matrixKernels(parseModule(text, "text"), ascend910b3, { tokens: 100, past: 0 }, (it, rows) => {
    asked.push(`${it.n}x${it.k} ${rows.total} ${rows.each}`);
    return { tile: { m: 16, n: 32, k: 64 }, copies: { l1: 1, l0c: 1 } };
  }); // prettier-ignore
  expect(asked).toContain("96x192 200 25");
  expect(kernels.map((it) => it.name).filter((it) => !it.endsWith("_t16x32x64_l1x1_l0cx1"))).toEqual([]);
});
