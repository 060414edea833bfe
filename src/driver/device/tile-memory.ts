/** Tiles found before, kept in a folder over runs. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { entriesOf, lineOf, type TileMemory } from "../../../targets/device/search/remembered.ts";
import { fail } from "../../support/diagnostics.ts";

const file = "tiles.jsonl";

/** Do something to the file of a folder. Throws `usage/tile-cache` where the file system does not let it. */
function using<T>(folder: string, act: (path: string) => T): T {
  const path = join(folder, file);
  try {
    return act(path);
  } catch (error) {
    return fail("usage/tile-cache", { kind: "flag", flag: "--tile-cache" }, path, error instanceof Error ? error.message : String(error)); // prettier-ignore
  }
}

/** What a folder remembers; nothing where it does not exist yet. The folder is made, so that what cannot be kept is known before it is searched for. */
export const readTiles = (folder: string): TileMemory =>
  using(folder, (path) => {
    mkdirSync(folder, { recursive: true });
    return existsSync(path) ? entriesOf(readFileSync(path, "utf8")) : new Map();
  });

/** Add what is in `now` and was not `before`. Each write appends whole lines at once, so that runs at the same time do not harm each other. */
export function writeTiles(folder: string, before: TileMemory, now: TileMemory): void {
  const added = [...now].filter(([key]) => !before.has(key));
  if (added.length > 0) using(folder, (path) => appendFileSync(path, added.map(([key, it]) => lineOf(key, it)).join(""))); // prettier-ignore
}
