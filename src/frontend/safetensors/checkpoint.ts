import { existsSync, readFileSync, readdirSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import * as v from "valibot";
import { CompileError, diag, fail, type Diagnostic } from "../../support/diagnostics.ts";
import { readHeader, type TensorEntry } from "./header.ts";

/** A checkpoint's tensors, wherever its shards put them. */
export type Checkpoint = {
  readonly dir: string;
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, TensorEntry>;
};

const indexName = "model.safetensors.index.json";
const mostFaults = 20;

/**
 * Open a folder (sharded by index, or with a single file), one .safetensors file, or an index file.
 * Throws the fault of the first damaged shard, or all disagreements between index and shards together.
 */
export function openCheckpoint(path: string): Checkpoint {
  if (path.endsWith(".index.json")) return openIndexed(path);
  if (!statSync(path).isDirectory()) return openFiles(dirname(path), [path]);
  const index = join(path, indexName);
  if (existsSync(index)) return openIndexed(index);
  const files = readdirSync(path).filter((name) => name.endsWith(".safetensors"));
  const [only] = files.includes("model.safetensors") ? ["model.safetensors"] : files;
  if (only && (files.length === 1 || only === "model.safetensors"))
    return openFiles(path, [join(path, only)]);
  const why = files.length
    ? `${files.length} .safetensors files and no ${indexName}`
    : "no .safetensors file";
  return fail("checkpoint/not-found", { kind: "file", file: path }, path, why);
}

function openFiles(dir: string, files: readonly string[]): Checkpoint {
  const tensors = new Map<string, TensorEntry>();
  for (const file of files) for (const [name, entry] of readHeader(file).tensors) tensors.set(name, entry);
  return { dir, files, tensors };
}

const indexSchema = v.looseObject({ weight_map: v.record(v.string(), v.string()) });

/** The index as a map; a Map and not an object, so that no tensor name can be mistaken for a property. */
function readIndex(file: string): ReadonlyMap<string, string> {
  const bad = (why: string): never => fail("safetensors/shard-index", { kind: "file", file }, why);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    return bad(`the index is not valid JSON: ${String(error)}`);
  }
  const parsed = v.safeParse(indexSchema, json);
  return parsed.success
    ? new Map(Object.entries(parsed.output.weight_map))
    : bad("the index must have a weight_map from tensor names to file names");
}

/** A shard must be a file inside the folder, links followed. */
function shardPath(dir: string, name: string): string | undefined {
  const path = resolve(dir, name);
  const inside = path.startsWith(resolve(dir) + sep) && existsSync(path);
  return inside && statSync(path).isFile() ? path : undefined;
}

/** Hub caches keep shards as links to blobs beside the snapshot; anything else a link leads to is refused. */
function escapes(dir: string, path: string): boolean {
  const real = realpathSync(path);
  const home = realpathSync(dir);
  const hubRoot = home.includes(`${sep}snapshots${sep}`)
    ? home.slice(0, home.indexOf(`${sep}snapshots${sep}`))
    : home;
  return !real.startsWith(hubRoot + sep);
}

function openIndexed(index: string): Checkpoint {
  const dir = dirname(index);
  const map = readIndex(index);
  const faults: Diagnostic[] = [];
  const fault = (why: string) =>
    void faults.push(diag("safetensors/shard-index", { kind: "file", file: index }, why));
  const tensors = new Map<string, TensorEntry>();
  const files: string[] = [];
  for (const shard of [...new Set(map.values())].sort()) {
    const path = shardPath(dir, shard);
    if (!path || escapes(dir, path)) {
      fault(
        path
          ? `shard ${shard} is a link that leads out of the folder`
          : `shard ${shard} is not a file in this folder`,
      );
      continue;
    }
    files.push(path);
    for (const [name, entry] of readHeader(path).tensors) {
      const mapped = map.get(name);
      if (mapped === undefined) fault(`tensor "${name}" is in ${shard} but not in the index`);
      else if (mapped !== shard) fault(`tensor "${name}" is mapped to ${mapped} but also in ${shard}`);
      else tensors.set(name, entry);
    }
  }
  const missing = new Set(files);
  for (const [name, shard] of map)
    if (!tensors.has(name) && missing.has(resolve(dir, shard)))
      fault(`tensor "${name}" is mapped to ${shard} but not in it`);
  if (faults.length) throw new CompileError(faults.slice(0, mostFaults));
  return { dir, files, tensors };
}
