/** Before all tests: what moec remembers between runs goes into a folder of their own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "moec-cache-"));
  process.env["XDG_CACHE_HOME"] = folder;
  return () => rmSync(folder, { recursive: true });
}
