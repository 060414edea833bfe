/** The corpus of bad inputs, each with the diagnosis it deserves. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { root } from "./moec.ts";

export const corpus = join(root, "fixtures/malformed");

const entry = v.looseObject({
  file: v.string(),
  format: v.string(),
  wrong: v.string(),
  expect: v.string(),
  code: v.string(),
});

export const malformed = (format: "safetensors" | "onnx") =>
  readFileSync(join(corpus, "manifest.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => v.parse(entry, JSON.parse(line)))
    .filter((it) => it.format === format);
