import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { rowReader, type StoredTensor } from "../tensor/recipe-rows.ts";
import { scratch } from "../tensor/scratch.ts";
import { siblingModule } from "../support/sibling-module.ts";
import { createPacker, packerCode } from "./packer.ts";
import type { Shard } from "./shards.ts";
import { writeWeight, type Tools } from "./write-weight.ts";

/** What each packing thread gets: all shards, and the shared counter that says which is next. */
export type PackShare = {
  readonly dir: string;
  readonly shards: readonly Shard[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly next: Int32Array<SharedArrayBuffer>;
  readonly code: WebAssembly.Module;
};

/** The checksums of a shard's weights, in its order. */
export type PackOutcome = readonly { readonly shard: number; readonly crcs: readonly number[] }[];

/** Write shards on this thread until none is left. */
export function packHere(share: PackShare): PackOutcome {
  const reader = rowReader((name) => {
    const stored = share.tensors.get(name);
    if (!stored) throw new Error(`no tensor ${name}`);
    return stored;
  });
  const tools = { reader, memory: scratch(), packer: createPacker(share.code) };
  const done: { shard: number; crcs: readonly number[] }[] = [];
  try {
    for (;;) {
      const number = Atomics.add(share.next, 0, 1);
      const shard = share.shards[number];
      if (!shard) return done;
      done.push({ shard: number, crcs: writeShard(join(share.dir, shard.file), shard, tools) });
    }
  } finally {
    reader.close();
  }
}

function writeShard(file: string, shard: Shard, tools: Tools): readonly number[] {
  const fd = openSync(file, "w");
  try {
    writeSync(fd, shard.header);
    let at = shard.header.byteLength;
    return shard.weights.map(({ weight, bytes }) => {
      const crc = writeWeight(fd, at, weight, tools);
      at += bytes;
      return crc;
    });
  } finally {
    closeSync(fd);
  }
}

/**
 * Write all shards into a folder over `threads` threads, so that this one is free for other work meanwhile; a single
 * shard is written right here. Gives the checksums of each shard's weights.
 */
export async function packWeights(
  dir: string,
  shards: readonly Shard[],
  tensors: ReadonlyMap<string, StoredTensor>,
  threads: number,
): Promise<readonly (readonly number[])[]> {
  const next = new Int32Array(new SharedArrayBuffer(4));
  const share: PackShare = { dir, shards, tensors, next, code: await packerCode() };
  const outcomes =
    shards.length === 1
      ? [packHere(share)]
      : await Promise.all(Array.from({ length: Math.min(threads, shards.length) }, () => startWorker(share)));
  const crcs = shards.map((): readonly number[] => []);
  for (const { shard, crcs: own } of outcomes.flat()) crcs[shard] = own;
  return crcs;
}

function startWorker(share: PackShare): Promise<PackOutcome> {
  const worker = new Worker(siblingModule("./pack-worker.ts", import.meta.url), { workerData: share });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`a packing thread ended early with code ${code}`)));
  });
}
