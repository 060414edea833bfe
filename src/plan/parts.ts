/** A plan written in parts, each on a machine of its own, and brought together where all can be read. */
import { copyFileSync, existsSync, linkSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { fail } from "../support/diagnostics.ts";
import { makeFolder, writing } from "../tensor/sink.ts";
import { partFormat, partSchema, type Manifest, type Part } from "./manifest.ts";
import { shardWeights } from "./shards.ts";
import {
  inPartial,
  putInPlace,
  refuseForeign,
  writeFiles,
  writeShards,
  type PlanParts,
  type WriteMeans,
} from "./write-plan.ts";

/** Which part of how many; parts are counted from 1. */
export type Share = { readonly part: number; readonly of: number };

/**
 * Write one part of a plan at `dir`: every `of`-th weight file, and with the first part all other files. It appears whole or not at all, so
 * a part that was interrupted is written again. Gives the bytes of its weights.
 */
export async function writePart(
  dir: string,
  parts: PlanParts,
  means: WriteMeans,
  { part, of }: Share,
): Promise<number> {
  refuseForeign(dir);
  return inPartial(dir, async (partial) => {
    const shards = shardWeights(parts.weights);
    const own = shards.filter((_, i) => i % of === part - 1);
    const weights = own.length > 0 ? await writeShards(partial, own, parts.tensors, means) : [];
    const files = part === 1 ? await writeFiles(partial, parts.files, means) : {};
    const content = {
      format: partFormat,
      part,
      of,
      head: parts.head,
      shards: shards.map((it) => it.file),
      weights,
      files,
    } as const;
    await putInPlace(dir, partial, "part.json", { ...content, shards: [...content.shards] });
    return weights.reduce((n, w) => n + w.bytes, 0);
  });
}

type PartAt = Part & { readonly dir: string };

function readPart(dir: string): PartAt {
  const path = join(dir, "part.json");
  if (!existsSync(path)) return fail("plan/not-a-part", { kind: "file", file: dir });
  const damaged = (why: string): never =>
    fail("plan/damaged", { kind: "file", file: path }, "part.json", why);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    return damaged(String(error));
  }
  // Not parsed but only checked: the keys keep their order, so that the whole plan has the bytes it would have had.
  return v.is(partSchema, json) ? { ...json, dir } : damaged("it is not what moec compile --part writes");
}

/** All parts of one plan, in order. Throws `plan/parts` for one that is missing, there twice, or of another compile. */
function readParts(dirs: readonly string[]): readonly [PartAt, ...PartAt[]] {
  const [first, ...others] = dirs.map(readPart).sort((a, b) => a.part - b.part);
  if (!first) return fail("plan/parts", undefined, "none is given");
  const key = ({ head, of, shards }: Part): string => JSON.stringify([head, of, shards]);
  const stranger = others.find((it) => key(it) !== key(first));
  if (stranger)
    fail("plan/parts", { kind: "file", file: stranger.dir }, `it is of another compile than ${first.dir}`);
  for (let part = 1; part <= first.of; part++) {
    const found: readonly PartAt[] = [first, ...others].filter((it) => it.part === part);
    if (found.length !== 1)
      fail("plan/parts", undefined, `part ${part} of ${first.of} is there ${found.length} times`);
  }
  return [first, ...others];
}

/** Bring parts together into the plan that one compile would have written at `dir`, to the byte. Gives the bytes of its weights. */
export async function linkParts(dir: string, from: readonly string[]): Promise<number> {
  refuseForeign(dir);
  const parts = readParts(from);
  const [{ head, shards, files }] = parts;
  const weights: Manifest["weights"] = shards.flatMap((file) =>
    parts.flatMap((it) => it.weights.filter((w) => w.file === file)),
  );
  const missing = shards.find((file) => !weights.some((w) => w.file === file));
  if (missing !== undefined) fail("plan/parts", undefined, `no part has ${missing}`);
  return inPartial(dir, async (partial) => {
    for (const part of parts)
      for (const name of [...new Set(part.weights.map((w) => w.file)), ...Object.keys(part.files)])
        takeFile(join(part.dir, part.data, name), join(partial, name));
    await putInPlace(dir, partial, "plan.json", { ...head, weights, files });
    return weights.reduce((n, w) => n + w.bytes, 0);
  });
}

/** The same file under another name where both are on one disk, else a copy of it. */
function takeFile(from: string, to: string): void {
  if (!existsSync(from)) fail("plan/damaged", { kind: "file", file: from }, from, "it is missing");
  makeFolder(dirname(to));
  try {
    linkSync(from, to);
  } catch {
    writing(to, () => copyFileSync(from, to)); // another disk, or one without links
  }
}
