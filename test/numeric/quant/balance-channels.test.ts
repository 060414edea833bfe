/** Channels scaled on one side and unscaled on the other leave a model's answers as they are. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { balanceChannels, channelGroups } from "../../../passes/quantize/balance-channels.ts";
import { pipeline } from "../../../passes/index.ts";
import { runPass, runPasses } from "../../../src/pass/runner.ts";
import { createRandom } from "../../../src/support/random.ts";
import { interpretModel, largestDifference } from "../../support/interpret-model.ts";
import { root } from "../../support/moec.ts";

test.each([
  ["v3-tiny", 20],
  ["v2-lite-tiny", 15],
  ["v1-moe-tiny", 10],
  ["v3-fp8-tiny", 20],
])("%s answers the same with its channels balanced", (name, least) => {
  const model = interpretModel(join(root, "fixtures/deep", name));
  const imported = runPasses(model.module, pipeline.slice(0, 1), {});
  const random = createRandom(7);
  const factors = new Map<string, Float32Array>();
  const balance = balanceChannels((key, channels) => {
    const known =
      factors.get(key) ?? Float32Array.from({ length: channels }, () => 2 ** (4 * random.float() - 2));
    factors.set(key, known);
    return known;
  });
  const balanced = runPass(imported, balance).module;
  const groups = channelGroups(imported.funcs[0] ?? { name: "", params: [], body: [], results: [] });
  expect(groups.length).toBeGreaterThanOrEqual(least);
  const ids = [3, 14, 15, 9, 2, 6];
  const expected = model.prefill(imported, ids);
  const scale = Math.max(...Array.from(expected, Math.abs));
  expect(largestDifference(model.prefill(balanced, ids), expected) / scale).toBeLessThan(1e-5);
});
