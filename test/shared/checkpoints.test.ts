import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/moec.ts";
import { shared } from "./folder.ts";

test("the bundled checkpoints are the ones they were copied from", ({ skip }) => {
  const from = shared("checkpoints", skip);
  for (const [here, there] of [
    ["fixtures/moe-6m", "moe-6m"],
    ["fixtures/tiny", "."],
    ["fixtures/deep", "deep"],
  ] as const) {
    // prettier-ignore
    for (const entry of readdirSync(join(root, here), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const copy = join(entry.parentPath, entry.name);
      const original = join(from, there, copy.slice(join(root, here).length));
      expect(readFileSync(copy).equals(readFileSync(original)), copy).toBe(true);
    }
  }
});
