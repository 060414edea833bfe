import { join } from "node:path";
import { quantizer } from "../../quant/quantizer.ts";
import { createRowRounder } from "../../quant/rounding/row-rounder.ts";
import { rowReader, type StoredTensor } from "../../tensor/recipe-rows.ts";
import { CompileError, type Diagnostic } from "../../support/diagnostics.ts";
import { scratch } from "../../tensor/scratch.ts";
import { writeAnew } from "../../tensor/sink.ts";
import { createPacker } from "./packer.ts";
import type { Shard } from "../shards.ts";
import { writeWeight, type Tools } from "../write-weight.ts";

/** What each packing thread gets: all shards, and the shared counter that says which is next. */
export type PackShare = {
  readonly dir: string;
  readonly shards: readonly Shard[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly next: Int32Array<SharedArrayBuffer>;
  /** What `packerCode` and `roundingCode` give. */
  readonly code: { readonly packer: WebAssembly.Module; readonly rounding: WebAssembly.Module };
};

/** What a thread wrote: the checksums of each shard's weights, in their order; and what stopped it, if anything did. */
export type PackOutcome = {
  readonly written: readonly { readonly shard: number; readonly crcs: readonly number[] }[];
  readonly fault?: PackFault;
};

/** Why a shard could not be written. Between threads an error loses its class, so diagnostics go by themselves. */
export type PackFault = { readonly shard: number } & (
  { readonly diagnostics: readonly Diagnostic[] } | { readonly error: unknown }
);

/**
 * The error of the first shard that has one, or undefined. Shards are begun in order and those begun are ended, so that it is the same
 * one at any number of threads.
 */
export function firstFault(outcomes: readonly PackOutcome[]): unknown {
  const [first] = outcomes.flatMap((it) => it.fault ?? []).sort((a, b) => a.shard - b.shard);
  return first && ("diagnostics" in first ? new CompileError(first.diagnostics) : first.error);
}

/** Let threads end the shards that they are at, and begin none of the others. */
export const beginNone = (next: PackShare["next"], shards: readonly Shard[]): void =>
  void Atomics.store(next, 0, shards.length);

/** Write shards until none is left or one cannot be written; then no thread begins another. */
export function packShards(share: PackShare): PackOutcome {
  const stored = (name: string): StoredTensor => {
    const tensor = share.tensors.get(name);
    if (!tensor) throw new Error(`no tensor ${name}`);
    return tensor;
  };
  const reader = rowReader(stored, quantizer, createRowRounder(share.code.rounding));
  const tools = { reader, memory: scratch(), packer: createPacker(share.code.packer) };
  const written: { shard: number; crcs: readonly number[] }[] = [];
  try {
    for (;;) {
      const number = Atomics.add(share.next, 0, 1);
      const shard = share.shards[number];
      if (!shard) return { written };
      try {
        written.push({ shard: number, crcs: writeShard(join(share.dir, shard.file), shard, tools) });
      } catch (error) {
        beginNone(share.next, share.shards);
        const why = error instanceof CompileError ? { diagnostics: error.diagnostics } : { error };
        return { written, fault: { shard: number, ...why } };
      }
    }
  } finally {
    reader.close();
  }
}

const writeShard = (file: string, { header, weights }: Shard, tools: Tools): readonly number[] =>
  writeAnew(file, (sink) => {
    sink.putAt(header, 0);
    let at = header.byteLength;
    return weights.map(({ weight, bytes }) => {
      const crc = writeWeight(sink, at, weight, tools);
      at += bytes;
      return crc;
    });
  });
