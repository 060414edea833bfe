/** onnxruntime's own operators compute what onnxruntime computes (fixtures/scripts/make-contrib.py). */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/moec.ts";

test("operators of com.microsoft give the results of onnxruntime", () => {
  const script = join(root, "fixtures/scripts/conformance.ts");
  const done = spawnSync(process.execPath, [script, join(root, "fixtures/contrib")], { encoding: "utf8" });
  expect(done.stdout).toMatch(/\n22 passed, 0 failed\n$/);
});
