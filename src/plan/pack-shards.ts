import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { quantizer } from "../quant/quantizer.ts";
import { rowReader, type StoredTensor } from "../tensor/recipe-rows.ts";
import { scratch } from "../tensor/scratch.ts";
import { createPacker } from "./packer.ts";
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

/** The checksums of the weights of the shards that a thread wrote, in their order. */
export type PackOutcome = readonly { readonly shard: number; readonly crcs: readonly number[] }[];

/** Write shards until none is left. */
export function packShards(share: PackShare): PackOutcome {
  const reader = rowReader((name) => {
    const stored = share.tensors.get(name);
    if (!stored) throw new Error(`no tensor ${name}`);
    return stored;
  }, quantizer);
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
