import { closeSync, openSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { rowReader, type StoredTensor } from "../tensor/recipe-rows.ts";
import { scratch } from "../tensor/scratch.ts";
import { siblingModule } from "../support/sibling-module.ts";
import { writeWeight } from "./write-weight.ts";
import type { WeightRequest } from "./weights.ts";

export type PackJob = { readonly weight: WeightRequest; readonly offset: number; readonly bytes: number };

/** What each packing thread gets: all jobs, and the shared counter that says which is next. */
export type PackShare = {
  readonly file: string;
  readonly jobs: readonly PackJob[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly next: Int32Array<SharedArrayBuffer>;
};

/** Checksums by job number. */
export type PackOutcome = readonly { readonly job: number; readonly crc: number }[];

/** Take jobs until none is left. */
function runJobs(fd: number, share: PackShare): PackOutcome {
  const reader = rowReader((name) => {
    const stored = share.tensors.get(name);
    if (!stored) throw new Error(`no tensor ${name}`);
    return stored;
  });
  const memory = scratch();
  const done: { job: number; crc: number }[] = [];
  try {
    for (;;) {
      const number = Atomics.add(share.next, 0, 1);
      const job = share.jobs[number];
      if (!job) return done;
      done.push({ job: number, crc: writeWeight(fd, job.offset, job.weight, reader, memory) });
    }
  } finally {
    reader.close();
  }
}

/** Fewer bytes than this are packed before a thread has started. */
const worthThreads = 32 << 20;

/**
 * Run all jobs over `threads` threads, so that this one is free for other work meanwhile; few bytes are packed right here.
 * Gives the checksum of each job's bytes.
 */
export async function packWeights(
  file: string,
  jobs: readonly PackJob[],
  tensors: ReadonlyMap<string, StoredTensor>,
  threads: number,
): Promise<readonly number[]> {
  const share: PackShare = { file, jobs, tensors, next: new Int32Array(new SharedArrayBuffer(4)) };
  const isSmall = jobs.reduce((n, job) => n + job.bytes, 0) < worthThreads;
  const outcomes = isSmall
    ? [packHere(share)]
    : await Promise.all(Array.from({ length: Math.min(threads, jobs.length) }, () => startWorker(share)));
  const crcs = new Array<number>(jobs.length).fill(0);
  for (const { job, crc } of outcomes.flat()) crcs[job] = crc;
  return crcs;
}

/** Run jobs on this thread until none is left. */
export function packHere(share: PackShare): PackOutcome {
  const fd = openSync(share.file, "r+");
  try {
    return runJobs(fd, share);
  } finally {
    closeSync(fd);
  }
}

function startWorker(share: PackShare): Promise<PackOutcome> {
  const worker = new Worker(siblingModule("./pack-worker.ts", import.meta.url), { workerData: share });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`a packing thread ended early with code ${code}`)));
  });
}
