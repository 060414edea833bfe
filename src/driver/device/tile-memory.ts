/** Tiles found before, and kernels found legal before, kept in a folder over runs. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { entriesOf, lineOf, type TileMemory } from "../../../targets/device/search/remembered.ts";
import { keysOf, type VerifiedKernels } from "../../plan/verified-kernels.ts";
import { fail } from "../../support/diagnostics.ts";

const files = { tiles: "tiles.jsonl", verified: "verified.txt" };

/** Do something to a file of a folder. Throws `usage/tile-cache` where the file system does not let it. */
function using<T>(folder: string, file: string, act: (path: string) => T): T {
  const path = join(folder, file);
  try {
    return act(path);
  } catch (error) {
    return fail("usage/tile-cache", { kind: "flag", flag: "--tile-cache" }, path, error instanceof Error ? error.message : String(error)); // prettier-ignore
  }
}

/** The text of a file; empty where it does not exist yet. The folder is made, so that what cannot be kept is known before it is searched for. */
const textIn = (folder: string, file: string): string =>
  using(folder, file, (path) => {
    mkdirSync(folder, { recursive: true });
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  });

/** Each call appends whole lines at once, so that runs at the same time do not harm each other. */
function append(folder: string, file: string, lines: readonly string[]): void {
  if (lines.length > 0) using(folder, file, (path) => appendFileSync(path, lines.join("")));
}

/** What a folder remembers; `keep` adds to it what was found since. */
export type DeviceMemory = {
  readonly tiles: TileMemory;
  readonly verified: VerifiedKernels;
  readonly keep: () => void;
};

/** Remembers nothing, and keeps nothing. */
export const forgetful = (): DeviceMemory => ({ tiles: new Map(), verified: new Set(), keep: () => {} });

/** Throws `usage/tile-cache` where the folder cannot be read, and on keeping where it cannot be written. */
export function memoryIn(folder: string): DeviceMemory {
  const tiles = entriesOf(textIn(folder, files.tiles));
  const verified = keysOf(textIn(folder, files.verified));
  const before = { tiles: new Set(tiles.keys()), verified: new Set(verified) };
  const keep = (): void => {
    const found = [...tiles].filter(([key]) => !before.tiles.has(key));
    append(folder, files.tiles, found.map(([key, it]) => lineOf(key, it))); // prettier-ignore
    append(folder, files.verified, [...verified].filter((key) => !before.verified.has(key)).map((key) => `${key}\n`)); // prettier-ignore
  };
  return { tiles, verified, keep };
}
