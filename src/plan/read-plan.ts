import { closeSync, existsSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { fail } from "../support/diagnostics.ts";
import { readHeader, type TensorEntry } from "../frontend/safetensors/header.ts";
import { readInto } from "../tensor/source.ts";
import { parseManifest, type Manifest } from "./manifest.ts";
import type { Program } from "./program/program.ts";
import { parsePrograms } from "./program/file.ts";

/** A plan on disk, its manifest checked and its files found to be of the right size. */
export type Plan = {
  readonly dir: string;
  readonly manifest: Manifest;
  readonly file: (name: string) => string;
  /** What a file holds. Throws `plan/damaged` where that is not what was written. */
  readonly read: (name: string) => Buffer;
  /** The programs of a rank. Throws `plan/damaged`. */
  readonly programs: (rank: number) => readonly Program[];
  /** Load one weight into place. Throws `plan/damaged` where its checksum is not the manifest's. */
  readonly loadWeight: (name: string, target: Uint8Array) => void;
};

/** Whether a folder holds a plan, to tell plans from checkpoints. */
export const isPlan = (dir: string): boolean => existsSync(join(dir, "plan.json"));

/** Open a plan. Throws `plan/not-a-plan` for a folder without a whole plan, `plan/damaged` for a plan with a part cut off. */
export function readPlan(dir: string): Plan {
  const path = join(dir, "plan.json");
  if (!existsSync(path)) return fail("plan/not-a-plan", { kind: "file", file: dir }, "it has no plan.json");
  const manifest = parseManifest(readFileSync(path, "utf8"), path);
  const file = (name: string) => join(dir, manifest.data, name);
  for (const [name, expected] of Object.entries(manifest.files)) {
    if (!existsSync(file(name)))
      return fail("plan/damaged", { kind: "file", file: dir }, name, "it is missing");
    const { size } = statSync(file(name));
    if (size !== expected.bytes)
      return fail(
        "plan/damaged",
        { kind: "file", file: file(name) },
        name,
        `it has ${size} bytes, expected ${expected.bytes}`,
      );
  }
  const read: Plan["read"] = (name) => {
    const bytes = readFileSync(file(name));
    const other = otherChecksum(bytes, manifest.files[name]?.crc32);
    return other ? fail("plan/damaged", { kind: "file", file: file(name) }, name, other) : bytes;
  };
  const programs = (rank: number): readonly Program[] => {
    const name = manifest.ranks[rank]?.programs;
    if (name === undefined || !(name in manifest.files))
      return fail(
        "plan/damaged",
        { kind: "file", file: path },
        "plan.json",
        `it has no programs of rank ${rank}`,
      );
    return parsePrograms(read(name).toString(), file(name));
  };
  return { dir, manifest, file, read, programs, loadWeight: weightLoader(manifest, file) };
}

/** That bytes are not those whose checksum the manifest has; undefined where they are. */
function otherChecksum(bytes: Uint8Array, expected: string | undefined): string | undefined {
  const found = crc32(bytes).toString(16).padStart(8, "0");
  return found === expected ? undefined : `checksum ${found}, expected ${expected ?? "none"}`;
}

/** Loads weights by name; the headers of all weight files are read here. */
function weightLoader(manifest: Manifest, file: Plan["file"]): Plan["loadWeight"] {
  const tensors = new Map<string, TensorEntry>();
  for (const name of new Set(manifest.weights.map((w) => w.file))) {
    if (!existsSync(file(name)))
      return fail("plan/damaged", { kind: "file", file: file(name) }, name, "it is missing");
    for (const [weight, entry] of readHeader(file(name)).tensors) tensors.set(weight, entry);
  }
  const expected = new Map(manifest.weights.map((w) => [w.name, w]));
  return (name, target) => {
    const region = tensors.get(name)?.region;
    const entry = expected.get(name);
    const damaged = (why: string): never =>
      fail(
        "plan/damaged",
        { kind: "tensor", file: file(entry?.file ?? ""), tensor: name },
        entry?.file ?? name,
        why,
      );
    if (!region || !entry || region.bytes !== entry.bytes || target.byteLength !== entry.bytes)
      return damaged("it is not what plan.json says");
    const fd = openSync(region.file, "r");
    try {
      readInto(fd, target, region.offset);
    } finally {
      closeSync(fd);
    }
    const other = otherChecksum(target, entry.crc32);
    if (other) damaged(other);
  };
}
