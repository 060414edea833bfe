import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Pass } from "../../src/pass/pass.ts";
import { passes } from "../../passes/index.ts";

const root = join(import.meta.dirname, "..", "golden");
const divider = "// ---- expect\n";

/** One file of test/golden: comments (the first names the pass), input, expectation. */
export type GoldenCase = {
  readonly file: string;
  readonly pass: Pass;
  readonly header: string;
  readonly input: string;
  readonly expected: string;
};

/** The folders of test/golden, one a pass. */
export const goldenFolders = (): readonly string[] => readdirSync(root).sort();

/** Paths of all cases, relative to test/golden. */
export const goldenFiles = (): readonly string[] =>
  goldenFolders().flatMap((folder) =>
    readdirSync(join(root, folder))
      .sort()
      .map((name) => join(folder, name)),
  );

export const goldenPath = (file: string): string => join(root, file);

/** Read a case; throws where its first line names no pass. */
export function readCase(file: string): GoldenCase {
  const text = readFileSync(goldenPath(file), "utf8");
  const name = /^\/\/ pass: ([\w-]+)\n/.exec(text)?.[1];
  const pass = passes.find((p) => p.name === name);
  if (!pass) throw new Error(`${file}: there is no pass ${name ?? "on its first line"}`);
  const [before = "", expected = ""] = text.split(divider);
  const header = /^(?:\/\/[^\n]*\n)*/.exec(before)?.[0] ?? "";
  return { file, pass, header, input: before.slice(header.length), expected };
}

export const formatCase = (header: string, input: string, expected: string): string =>
  `${header}${input}${divider}${expected}`;
