/** Compiled plans on the engine against transformers' own logits. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../src/driver/compile.ts";
import { readPlan } from "../../src/plan/read-plan.ts";
import { generate } from "../../src/runtime/generate.ts";
import { greedySampling } from "../../src/runtime/sampling.ts";
import { openSession, type Feeding } from "../../src/runtime/session.ts";
import { createRandom } from "../../src/support/random.ts";
import { readGolden, tinyCheckpoints } from "../support/checkpoints.ts";
import { root } from "../support/moec.ts";

const tolerance = 5e-4;

describe.each(tinyCheckpoints)("%s", (checkpoint) => {
  const source = join(root, checkpoint);
  const golden = readGolden(source);
  const folder = mkdtempSync(join(tmpdir(), "moec-engine-"));
  const dir = join(folder, "plan");
  // Prompts are longer than 24 tokens, so that prefill takes more than one call.
  beforeAll(() => compile(source, dir, { batchTokens: 24 }));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Every logit of the prompts and their greedy continuations, through one program with so many threads. */
  async function outcome(by: Feeding, threads: number) {
    const session = openSession(readPlan(dir), threads);
    try {
      let error = 0;
      const continuations: number[][] = [];
      for (const [k, prompt] of golden.prompts.entries()) {
        const expected = golden.logits(k);
        session.restart();
        const tokens = generate(session, prompt, {
          tokens: 16,
          sampling: greedySampling,
          random: createRandom(0),
          stop: [],
          by,
          onPrompt: (logits, position) =>
            logits.forEach((x, i) => {
              const difference = Math.abs(x - (expected[position * session.vocab + i] ?? NaN));
              if (!(difference <= error)) error = difference;
            }),
        });
        continuations.push(await Array.fromAsync(tokens));
      }
      return { error, continuations };
    } finally {
      await session.close();
    }
  }

  test.each([
    ["prefill", 1],
    ["prefill", 2],
    ["decode", 1],
    ["decode", 2],
  ] as const)("gives the golden logits and greedy tokens by %s on %i threads", async (by, threads) => {
    const { error, continuations } = await outcome(by, threads);
    expect(error).toBeLessThan(tolerance);
    expect(continuations).toEqual(golden.greedy);
  });
});
