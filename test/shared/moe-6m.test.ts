/** The trained checkpoint on held-out text against transformers' figures. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { afterAll, expect, test } from "vitest";
import { compile } from "../../src/driver/compile.ts";
import { moec, root } from "../support/moec.ts";
import { shared } from "./folder.ts";

const checkpoint = join(root, "fixtures/moe-6m");
const folder = mkdtempSync(join(tmpdir(), "moec-6m-"));
afterAll(() => rmSync(folder, { recursive: true }));

const golden = v.parse(
  v.looseObject({
    perplexity: v.record(v.string(), v.number()),
    tokens: v.record(v.string(), v.number()),
    generate: v.array(
      v.looseObject({ prompt: v.string(), greedy_ids: v.array(v.number()), greedy_text: v.string() }),
    ),
  }),
  JSON.parse(readFileSync(join(checkpoint, "golden.json"), "utf8")),
);

async function plan(): Promise<string> {
  const dir = join(folder, "plan");
  await compile(checkpoint, dir, {});
  return dir;
}

test.each(golden.generate)(
  "continues $prompt as transformers does",
  async ({ prompt, greedy_ids, greedy_text }) => {
    const { out } = moec([
      "run",
      await plan(),
      "--prompt",
      prompt,
      "-n",
      String(greedy_ids.length),
      "--json",
    ]);
    const text = greedy_text.replace("<｜end▁of▁sentence｜>", "");
    expect(JSON.parse(out)).toEqual({ ids: greedy_ids, text });
  },
);

test.for(["heldout-en", "heldout-zh", "heldout-py"])(
  "has transformers' perplexity on %s within 0.1 %%",
  async (name, { skip }) => {
    const text = shared(`checkpoints/moe-6m/text/${name}.txt`, skip);
    const { out } = moec(["eval", await plan(), "--text", text, "--window", "512", "--json"]);
    const found = v.parse(v.looseObject({ perplexity: v.number(), tokens: v.number() }), JSON.parse(out));
    const expected = golden.perplexity[name] ?? NaN;
    expect(Math.abs(found.perplexity / expected - 1)).toBeLessThan(0.001);
    expect(found.tokens).toBe(golden.tokens[name]);
  },
);
