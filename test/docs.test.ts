/** The documentation says what the product does. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { pages } from "../fixtures/scripts/docs/pages.ts";
import { root } from "./support/moec.ts";

describe("generated pages", async () => {
  test.each([...(await pages())])("docs/%s is what `npm run docs` writes", (name, text) => {
    expect(readFileSync(join(root, "docs", name), "utf8")).toBe(text);
  });
});

test("every link between pages leads somewhere", () => {
  for (const page of ["README.md", ...globSync("docs/*.md", { cwd: root })]) {
    const text = readFileSync(join(root, page), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      expect(existsSync(join(root, dirname(page), target)), `${page} links to ${target}`).toBe(true);
  }
});

test("defaults are told in the words of a command line", async () => {
  for (const [name, text] of await pages()) expect(text, name).not.toContain("[object ");
});
