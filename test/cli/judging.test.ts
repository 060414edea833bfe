/** moec eval as a gate: limits on what quantization costs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { moec } from "../support/moec.ts";

const room = mkdtempSync(join(tmpdir(), "moec-judging-"));
const plan = join(room, "plan");
afterAll(() => rmSync(room, { recursive: true }));
beforeAll(() => {
  moec(["compile", "fixtures/moe-6m", "-o", plan, "--quant", "int8", "--quiet"]);
});

const judged = (limit: string, ...more: readonly string[]) =>
  moec([
    ...["eval", plan, "--text", "fixtures/text/sample.txt", "--window", "64", "--windows", "1"],
    ...["--against", "fixtures/moe-6m", "--fail-over", limit, ...more],
  ]);

test("a window of two tokens is one prediction", () => {
  const text = ["--text", "fixtures/text/sample.txt", "--window", "2", "--windows", "1"];
  expect(moec(["eval", plan, ...text]).out).toMatch(/^perplexity \d+\.\d+ over 1 prediction in 1 window\n$/);
});

describe("moec eval --fail-over", () => {
  test("ends with exit code 5 beyond a limit, and says by how much", () => {
    const { code, err } = judged("kl=0.0000001");
    expect(code).toBe(5);
    expect(err).toMatch(/error\[eval\/over\]: kl is 0\.\d+, expected mean KL, at most 1e-7/);
  });
  test("gives one JSON document all the same", () => {
    const { code, out } = judged("kl=0.0000001,top1=0.1", "--json");
    expect(code).toBe(5);
    expect(JSON.parse(out)).toMatchObject({
      kl: expect.any(Number),
      over: [expect.stringContaining("kl is")],
    });
  });
  test("ends well within the limits", () => {
    expect(judged("kl=0.1,routing=0.5").code).toBe(0);
  });
});
