/** The interpreter, the judge of everything else, against transformers' own logits. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { optimize } from "../../src/driver/known.ts";
import { readGolden, tinyCheckpoints } from "../support/checkpoints.ts";
import { interpretModel, largestDifference } from "../support/interpret-model.ts";
import { root } from "../support/moec.ts";

const tolerance = 1e-4;

describe.each(tinyCheckpoints)("%s", (checkpoint) => {
  const dir = join(root, checkpoint);
  const golden = readGolden(dir);
  const model = interpretModel(dir);
  const modules = { "as imported": model.module, "as the passes leave it": optimize(model.module, [], {}) };

  test.each(["as imported", "as the passes leave it"] as const)("gives the golden logits %s", (which) => {
    for (const [k, prompt] of golden.prompts.entries())
      expect(largestDifference(model.prefill(modules[which], prompt), golden.logits(k))).toBeLessThan(
        tolerance,
      );
    const [shortest] = golden.prompts
      .map((ids, k) => ({ ids, k }))
      .sort((a, b) => a.ids.length - b.ids.length);
    const decoded = model.decode(modules[which], shortest?.ids ?? []);
    expect(largestDifference(decoded, golden.logits(shortest?.k ?? 0))).toBeLessThan(tolerance);
  });
});
