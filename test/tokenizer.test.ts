import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadChatTemplate } from "../src/runtime/chat.ts";
import { loadTokenizer, type Tokenizer } from "../src/runtime/tokenizer.ts";

const dir = "fixtures/moe-6m";
type Sample = { prompt: string; prompt_ids: number[]; greedy_ids: number[]; greedy_text: string };
const { generate } = JSON.parse(readFileSync(`${dir}/golden.json`, "utf8")) as { generate: Sample[] };

function load(): Tokenizer {
  const tokenizer = loadTokenizer(dir);
  if (!tokenizer) throw new Error(`${dir} has no tokenizer`);
  return tokenizer;
}

describe.each(generate)("the prompt $prompt", ({ prompt, prompt_ids, greedy_ids, greedy_text }) => {
  const tokenizer = load();
  test("encodes to the golden ids", () => {
    expect(tokenizer.encode(prompt, { bos: true })).toEqual(prompt_ids);
    expect(tokenizer.encode(prompt)).toEqual(prompt_ids.slice(1));
  });
  test("has a continuation that decodes to the golden text", () => {
    expect(tokenizer.decode(greedy_ids)).toBe(greedy_text);
  });
  test("streams whole characters that join to that text", () => {
    const stream = tokenizer.decodeStream();
    const pieces = greedy_ids.map((id) => stream.push(id));
    expect(pieces.some((it) => it.includes("\uFFFD"))).toBe(false);
    expect(pieces.join("") + stream.end()).toBe(greedy_text);
  });
});

test("a character of several tokens comes whole, and an unfinished one at the end", () => {
  const tokenizer = load();
  const text = "a 🙂 b";
  const ids = tokenizer.encode(text);
  const stream = tokenizer.decodeStream();
  expect(ids.map((id) => stream.push(id)).join("")).toBe(text);
  expect(stream.end()).toBe("");

  const smile = tokenizer.encode("🙂");
  expect(smile.length).toBeGreaterThan(1);
  const cut = tokenizer.decodeStream();
  expect(smile.slice(0, -1).map((id) => cut.push(id)).join("")).toBe(""); // prettier-ignore
  expect(cut.end()).toContain("\uFFFD");
});

test("special tokens are known, and can be left out of the text", () => {
  const tokenizer = load();
  expect({ bos: tokenizer.bos, eos: tokenizer.eos }).toEqual({ bos: 0, eos: [1] });
  const ids = tokenizer.encode("春風", { bos: true });
  expect(tokenizer.decode(ids)).toBe("<｜begin▁of▁sentence｜>春風");
  expect(tokenizer.decode(ids, { skipSpecial: true })).toBe("春風");
});

test("a chat becomes the prompt of the checkpoint's template", () => {
  const tokenizer = load();
  const prompt = loadChatTemplate(dir, tokenizer)?.render([
    { role: "user", content: "Who art thou?" },
    { role: "assistant", content: "I am." },
    { role: "user", content: "Whence?" },
  ]);
  expect(prompt).toBe(
    "<｜begin▁of▁sentence｜><｜User｜>Who art thou?<｜Assistant｜>I am.<｜end▁of▁sentence｜><｜User｜>Whence?<｜Assistant｜>",
  );
  expect(tokenizer.encode(prompt ?? "").filter((id) => id < 5)).toEqual([0, 3, 4, 1, 3, 4]);
});

test("a folder without a tokenizer has none, and a damaged one is a diagnostic", () => {
  expect(loadTokenizer("fixtures/tiny/v3")).toBeUndefined();
  const temp = mkdtempSync(join(tmpdir(), "moec-tokenizer-"));
  try {
    for (const text of ["{", "[]", '{"model": {}}', '{"model": {"type": "Nonsense"}}']) {
      writeFileSync(join(temp, "tokenizer.json"), text);
      expect(() => loadTokenizer(temp), text).toThrow("error[run/tokenizer]");
    }
  } finally {
    rmSync(temp, { recursive: true });
  }
});
