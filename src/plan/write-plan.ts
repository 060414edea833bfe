import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, rmdirSync, statSync } from "node:fs"; // prettier-ignore
import { dirname, join, relative, resolve } from "node:path";
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { fail } from "../support/diagnostics.ts";
import type { StoredTensor } from "../tensor/recipe-rows.ts";
import { makeFolder, writeAnew, writing } from "../tensor/sink.ts";
import type { Manifest, Part } from "./manifest.ts";
import { roundingCode } from "../quant/rounding/rounding-code.ts";
import type { Assemble } from "../wasm/assemble.ts";
import { packHere, type PackTeam } from "./packing/pack-team.ts";
import { beginNone, firstFault } from "./packing/pack-shards.ts";
import { packerCode } from "./packing/packer.ts";
import { shardWeights, type Shard } from "./shards.ts";
import type { WeightRequest } from "./weights.ts";

/** Makes the content of one file, with the means at hand. */
export type FileMaker = (assemble: Assemble) => Uint8Array | Promise<Uint8Array>;

/** Everything a plan is made of, before it is on disk. */
export type PlanParts = {
  readonly head: Omit<Manifest, "data" | "weights" | "files">;
  readonly weights: readonly WeightRequest[];
  /** The checkpoint's tensors that the recipes read. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Further files of the plan, by name; made while the weights are being written. */
  readonly files: ReadonlyMap<string, FileMaker>;
};

/** What a plan is written with. */
export type WriteMeans = { readonly assemble: Assemble; readonly pack: PackTeam };

const hex = (crc: number): string => crc.toString(16).padStart(8, "0");

/** What a plan is, but for the name of its folder. */
export type PlanContent = Omit<Manifest, "data">;

/**
 * Write a plan so that it appears whole or not at all. All files go to a folder named by their content; plan.json, which
 * names that folder, is put in place last, by rename. Whatever plan was there stays valid until that moment.
 * Gives the bytes written. Throws `plan/write`.
 */
export async function writePlan(dir: string, parts: PlanParts, means: WriteMeans): Promise<number> {
  refuseForeign(dir);
  return inPartial(dir, async (partial) => {
    const shards = shardWeights(parts.weights);
    const next = firstShard();
    const packing = writeShards(partial, shards, parts.tensors, means, next);
    const making = writeFiles(partial, parts.files, means);
    making.catch(() => beginNone(next, shards));
    await Promise.allSettled([packing, making]); // nothing writes into the folder any more when it goes
    const [weights, files] = [await packing, await making];
    await putInPlace(dir, partial, "plan.json", { ...parts.head, weights, files });
    return weights.reduce((n, w) => n + w.bytes, 0);
  });
}

/** Where the file that tells what a folder holds waits to be put in place. */
const manifestOf = (partial: string): string => `${partial}.json`;

/** Work in a folder inside `dir` that is gone at the end, however that comes about; so is `dir` where it is new and nothing is in it. */
export async function inPartial<T>(dir: string, work: (partial: string) => Promise<T>): Promise<T> {
  const isNew = !existsSync(dir);
  makeFolder(dir);
  const partial = join(dir, `.partial-${process.pid}`);
  const clear = () => {
    for (const it of [partial, manifestOf(partial)]) rmSync(it, { recursive: true, force: true });
    if (isNew && readdirSync(dir).length === 0) rmdirSync(dir);
  };
  process.once("exit", clear); // an interrupt ends the process without coming back here
  try {
    writing(dir, () => mkdirSync(partial, { recursive: true }));
    return await work(partial);
  } finally {
    process.off("exit", clear);
    writing(dir, clear);
  }
}

/** Make and write the files beside the weights. */
export async function writeFiles(
  dir: string,
  makers: PlanParts["files"],
  { assemble }: WriteMeans,
): Promise<Manifest["files"]> {
  const files: Manifest["files"] = {};
  for (const [name, make] of makers) {
    const bytes = await make(assemble);
    makeFolder(dirname(join(dir, name)));
    writeDurably(join(dir, name), bytes);
    files[name] = { bytes: bytes.byteLength, crc32: hex(crc32(bytes)) };
  }
  return files;
}

/** Name the finished files by their content, and switch `name` in `dir`, which tells what they are, to them. */
export async function putInPlace(
  dir: string,
  partial: string,
  name: "plan.json" | "part.json",
  content: PlanContent | Omit<Part, "data">,
): Promise<void> {
  const data = createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
  await setImmediate(); // an interrupt that came meanwhile is heard now, before anything is put in place
  writing(dir, () => install(dir, partial, data, name, `${JSON.stringify({ ...content, data }, null, 1)}\n`));
}

/** A folder with other things in it is not ours to write into. */
export function refuseForeign(dir: string): void {
  if (!existsSync(dir)) return;
  const isFolder = statSync(dir).isDirectory();
  const entries = isFolder ? writing(dir, () => readdirSync(dir)) : [];
  const isOurs = entries.every(
    (name) => name.startsWith(".partial-") || /^(plan\.json|part\.json|[0-9a-f]{16})$/.test(name),
  );
  if (!isFolder || !isOurs) fail("plan/exists", { kind: "file", file: dir }, dir);
}

/** The counter that tells threads which shard is next. */
const firstShard = () => new Int32Array(new SharedArrayBuffer(4));

/** Pack weights into their shards in `dir`; gives what plan.json says of each weight. */
export async function writeShards(
  dir: string,
  shards: readonly Shard[],
  tensors: PlanParts["tensors"],
  means: WriteMeans,
  next = firstShard(),
): Promise<Manifest["weights"]> {
  const code = { packer: await packerCode(means.assemble), rounding: await roundingCode(means.assemble) };
  const pack = shards.length === 1 ? packHere : means.pack;
  const outcomes = await pack({ dir, shards, tensors, next, code });
  const fault = firstFault(outcomes);
  if (fault !== undefined) throw fault;
  const crcs = new Map(outcomes.flatMap((it) => it.written).map((it) => [it.shard, it.crcs]));
  return shards.flatMap(({ file, weights }, i) =>
    weights.map(({ weight, bytes }, j) => ({
      name: weight.name,
      file,
      bytes,
      crc32: hex(crcs.get(i)?.[j] ?? 0),
    })),
  );
}

const writeDurably = (file: string, bytes: Uint8Array | string): void =>
  writeAnew(file, ({ append, settle }) => {
    append(bytes);
    settle();
  });

/** Name the finished folder by its content, switch `name` to it, and clear what nothing names any more. */
function install(dir: string, partial: string, data: string, name: string, manifest: string): void {
  const target = join(dir, data);
  const current = join(dir, name);
  writeDurably(manifestOf(partial), manifest); // while nothing has been put in place that a full disk would leave there
  if (existsSync(target)) {
    const isCurrent = existsSync(current) && readFileSync(current, "utf8") === manifest;
    if (isCurrent)
      replaceFiles(target, partial); // with the same, but for those that were damaged: whoever reads them goes on
    else rmSync(target, { recursive: true });
  }
  if (!existsSync(target)) renameSync(partial, target);
  renameSync(manifestOf(partial), current);
  for (const entry of readdirSync(dir))
    if (entry !== name && entry !== data && resolve(dir, entry) !== resolve(partial))
      rmSync(join(dir, entry), { recursive: true, force: true });
}

/** Move all files of a folder over those of another, each by rename. */
function replaceFiles(old: string, fresh: string): void {
  for (const it of readdirSync(fresh, { recursive: true, withFileTypes: true })) {
    if (it.isDirectory()) continue;
    const file = join(it.parentPath, it.name);
    const place = join(old, relative(fresh, file));
    mkdirSync(dirname(place), { recursive: true });
    renameSync(file, place);
  }
}
