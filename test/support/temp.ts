import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** A folder of the test file's own, gone when its tests are done. Call it at the top of the file. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "moec-test-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
