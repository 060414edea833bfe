/** Tiles found before, and kernels found legal before, kept in a folder over runs. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { entriesOf, lineOf, type TileMemory } from "../../../targets/device/search/remembered.ts";
import { keysOf, type VerifiedKernels } from "../../plan/verified-kernels.ts";
import { diag, type Diagnostic } from "../../support/diagnostics.ts";
import { makeFolders, refusalIn } from "../../tensor/sink.ts";

const files = { tiles: "tiles.jsonl", verified: "verified.txt" };

/** Hears that a folder cannot be used, which costs time and nothing else. */
type Warn = (found: Diagnostic) => void;

/** Do something in a folder; undefined where the system does not let it. */
function using<T>(folder: string, act: () => T, warn: Warn): T | undefined {
  try {
    return act();
  } catch (error) {
    const refusal = refusalIn(error);
    if (!refusal) throw error;
    warn(diag("usage/tile-cache", { kind: "flag", flag: "--tile-cache" }, folder, refusal.why));
    return undefined;
  }
}

/** The text of a file; empty where it does not exist yet. */
const textIn = (file: string): string => (existsSync(file) ? readFileSync(file, "utf8") : "");

/** Each call appends whole lines at once, so that runs at the same time do not harm each other. */
const append = (file: string, lines: readonly string[]): void =>
  lines.length > 0 ? appendFileSync(file, lines.join("")) : undefined;

/** What a folder remembers; `keep` adds to it what was found since. */
export type DeviceMemory = {
  readonly tiles: TileMemory;
  readonly verified: VerifiedKernels;
  readonly keep: () => void;
};

/** Remembers nothing, and keeps nothing. */
export const forgetful = (): DeviceMemory => ({ tiles: new Map(), verified: new Set(), keep: () => {} });

/** What was found before and is kept in a folder, which is made, so that one that cannot be used is told before anything is searched for. */
export function memoryIn(folder: string, warn: Warn): DeviceMemory {
  const [tilesFile, verifiedFile] = [join(folder, files.tiles), join(folder, files.verified)];
  const open = (): Omit<DeviceMemory, "keep"> => {
    makeFolders(folder);
    return { tiles: entriesOf(textIn(tilesFile)), verified: keysOf(textIn(verifiedFile)) };
  };
  const opened = using(folder, open, warn);
  if (!opened) return forgetful();
  const { tiles, verified } = opened;
  const before = { tiles: new Set(tiles.keys()), verified: new Set(verified) };
  const add = (): void => {
    const found = [...tiles].filter(([key]) => !before.tiles.has(key));
    append(tilesFile, found.map(([key, it]) => lineOf(key, it))); // prettier-ignore
    append(verifiedFile, [...verified].filter((key) => !before.verified.has(key)).map((key) => `${key}\n`)); // prettier-ignore
  };
  return { tiles, verified, keep: () => void using(folder, add, warn) };
}
