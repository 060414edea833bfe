/** Tiles found before, kept in a folder over runs. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { entriesOf, lineOf, type TileMemory } from "../../../targets/device/search/remembered.ts";

const file = "tiles.jsonl";

/** What a folder remembers; nothing where it does not exist yet. */
export function readTiles(folder: string): TileMemory {
  const path = join(folder, file);
  return existsSync(path) ? entriesOf(readFileSync(path, "utf8")) : new Map();
}

/** Add what is in `now` and was not `before`. Each write appends whole lines at once, so that runs at the same time do not harm each other. */
export function writeTiles(folder: string, before: TileMemory, now: TileMemory): void {
  const added = [...now].filter(([key]) => !before.has(key));
  if (added.length === 0) return;
  mkdirSync(folder, { recursive: true });
  appendFileSync(join(folder, file), added.map(([key, it]) => lineOf(key, it)).join(""));
}
