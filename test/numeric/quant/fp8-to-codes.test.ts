/** FP8 checkpoints become codes of eight and four bits on the way into the plan: what is stored is what the recipes say, and nothing else is written. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { emit, lowerModel, write } from "../../../src/driver/compile.ts";
import { planQuantization, schemeFrom } from "../../../src/driver/quantize.ts";
import { evaluateRecipe } from "../../../src/interp/kernels/recipe.ts";
import { tensorFromBytes } from "../../../src/interp/stored.ts";
import { readPlan } from "../../../src/plan/read-plan.ts";
import { matrices } from "../../../src/plan/stored-weight.ts";
import { quantizer } from "../../../src/quant/quantizer.ts";
import { sourceNames } from "../../../src/tensor/recipe.ts";
import { readRegion } from "../../../src/tensor/source.ts";
import { packed } from "../../support/kernels/kernels.ts";
import { root } from "../../support/moec.ts";
import { tempFolder } from "../../support/temp.ts";

const folder = tempFolder();

describe.each(["tiny/v3-fp8", "deep/v31-fp8-ue8m0-tiny"])("%s", (checkpoint) => {
  test.each(["int8", "int4-g32", "w4a8"])("%s", async (quant) => {
    const dir = join(folder, checkpoint, quant);
    const scheme = schemeFrom(quant) ?? expect.fail(quant);
    const settings = { quantization: planQuantization(scheme) };
    const emitted = emit(lowerModel(join(root, "fixtures", checkpoint), settings), settings);
    const { tensors } = emitted.model.checkpoint;
    await write(dir, emitted);
    const plan = readPlan(dir);
    expect(readdirSync(dir).sort()).toEqual([plan.manifest.data, "plan.json"].sort());
    const read = (name: string) => {
      const { dtype, shape, region } = tensors.get(name) ?? expect.fail(name);
      return tensorFromBytes(dtype, shape, readRegion(region));
    };
    let fromFp8 = 0;
    for (const { name, layout, dtype, recipe } of emitted.parts.weights) {
      if (layout !== "packed" || (dtype !== "i8" && dtype !== "i4")) continue;
      const sources = sourceNames(recipe).map((it) => tensors.get(it)?.dtype);
      if (sources.includes("f8e4m3")) fromFp8++;
      const { rows, cols } = matrices(recipe);
      const codes = Int8Array.from(evaluateRecipe(recipe, read, quantizer).data);
      const bytes = new Uint8Array(plan.manifest.weights.find((it) => it.name === name)?.bytes ?? 0);
      plan.loadWeight(name, bytes);
      expect(Buffer.compare(bytes, packed(dtype, codes, rows, cols)), name).toBe(0);
    }
    expect(fromFp8).toBeGreaterThan(10);
  });
});
