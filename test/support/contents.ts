import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Every file of a folder with its bytes. */
export const contents = (dir: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((file) => [file.slice(dir.length), readFileSync(file, "base64")]),
  );
