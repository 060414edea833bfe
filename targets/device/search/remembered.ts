/** Tiles that were found before, by what they were found for. Where they are kept is the caller's matter. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import type { Profile } from "../../../src/machine/profile.ts";
import type { AttentionSpec } from "../kernels/attention/attention.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import type { Tile } from "../kernels/matrix/tile.ts";

/** What the search finds may change with it; entries of another version are not used. */
const version = 25;

const count = v.pipe(v.number(), v.integer(), v.minValue(1));
const tileSchema = v.strictObject({
  key: v.string(),
  tile: v.strictObject({
    area: v.strictObject({ m: count, n: count }),
    staged: v.strictObject({
      k: count,
      step: count,
      copies: count,
      pieces: v.exactOptional(v.strictObject({ depth: count, copies: count })),
      ahead: v.exactOptional(count),
      last: v.exactOptional(count),
    }),
    sums: v.strictObject({ parts: count, cut: v.picklist(["rows", "columns"]), copies: count }),
    band: v.exactOptional(count),
    narrower: v.exactOptional(v.strictObject({ after: count, n: count })),
    runs: v.exactOptional(count),
  }),
  cycles: v.number(),
});

const choiceSchema = v.strictObject({
  key: v.string(),
  choice: v.pipe(v.number(), v.integer(), v.minValue(0)),
  cycles: v.number(),
});
const entrySchema = v.union([tileSchema, choiceSchema]);

/** A tile and the cycles it takes. */
export type Remembered = { readonly tile: Tile; readonly cycles: number };

/** Which of the cuts that were timed was the fastest, by its number among them. */
export type Chosen = { readonly choice: number; readonly cycles: number };

/** What was found, by key; a search adds to it. */
export type TileMemory = Map<string, Remembered | Chosen>;

/** What a search is for: the machine to the last figure, the product, its rows, and how much is tried. */
export const searchKey = (profile: Profile, spec: GemmSpec, rows: number, trials: number): string =>
  createHash("sha256").update(JSON.stringify([version, profile, spec, rows, trials])).digest("hex").slice(0, 32); // prettier-ignore

/** What a choice among cuts of attention is for. */
export const attentionKey = (profile: Profile, spec: AttentionSpec): string =>
  createHash("sha256").update(JSON.stringify([version, "attention", profile, spec])).digest("hex").slice(0, 32); // prettier-ignore

/** One entry as a line. */
export const lineOf = (key: string, found: Remembered | Chosen): string =>
  `${JSON.stringify({ key, ...found })}\n`;

/** The entries of a text, a line each. Lines that are no entry, such as one cut short by a crash, are as if they were not there. */
export function entriesOf(text: string): TileMemory {
  const found: TileMemory = new Map();
  for (const line of text.split("\n")) {
    const entry = parseEntry(line);
    if (!entry) continue;
    const { key, ...rest } = entry;
    found.set(key, rest);
  }
  return found;
}

function parseEntry(line: string): v.InferOutput<typeof entrySchema> | undefined {
  if (!line.startsWith("{") || !line.endsWith("}")) return undefined;
  try {
    const parsed = v.safeParse(entrySchema, JSON.parse(line));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined; // not JSON: the line is found anew and written again
  }
}
