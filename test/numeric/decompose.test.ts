/** Whole models with every structured operator said in plain ones: what the words mean is what they compute. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { structured } from "../../passes/decompose/index.ts";
import { optimize } from "../../src/driver/known.ts";
import { interpretModel, largestDifference } from "../support/interpret-model.ts";
import { readGolden } from "../support/checkpoints.ts";
import { root } from "../support/moec.ts";

test.each(["tiny/v3", "tiny/v2", "deep/r1-0528-qwen3-tiny"])("%s in plain operators", (name) => {
  const dir = join(root, "fixtures", name);
  const [prompt = []] = readGolden(dir).prompts;
  const model = interpretModel(dir);
  for (const module of [model.module, optimize(model.module, [], {})]) {
    const plain = optimize(module, ["decompose"], {});
    const left = plain.funcs
      .flatMap((f) => f.body)
      .filter((n) => (structured as readonly string[]).includes(n.op));
    expect(left).toEqual([]);
    expect(largestDifference(model.prefill(plain, prompt), model.prefill(module, prompt))).toBeLessThan(2e-5);
    expect(largestDifference(model.decode(plain, prompt), model.decode(module, prompt))).toBeLessThan(2e-5);
  }
});
