import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { siblingModule } from "../../support/sibling-module.ts";
import { packShards, type PackOutcome, type PackShare } from "./pack-shards.ts";

/** Writes the shards of a plan, on one thread or on several. */
export type PackTeam = (share: PackShare) => Promise<readonly PackOutcome[]>;

/** Threads that wait for their share; they must be closed. */
export type PackThreads = { readonly pack: PackTeam; readonly close: () => Promise<unknown> };

/** Everything on the calling thread: best for few bytes. */
export const packHere: PackTeam = (share) => Promise.resolve([packShards(share)]);

/** What a thread answers its share with. */
export type PackAnswer = { readonly outcome: PackOutcome } | { readonly error: unknown };

async function answerOf(worker: Worker, share: PackShare): Promise<PackOutcome> {
  worker.postMessage(share);
  // `once` rejects when the thread fails before it answers.
  const [answer] = (await once(worker, "message")) as [PackAnswer]; // as pack-worker.ts posts it
  if ("error" in answer) throw answer.error;
  return answer.outcome;
}

/** Start threads ahead of the work, so that they load while the model is read. */
export function startPackThreads(threads: number): PackThreads {
  const workers = Array.from({ length: threads }, () => {
    const worker = new Worker(siblingModule("./pack-worker.ts", import.meta.url));
    worker.unref();
    return worker;
  });
  return {
    pack: (share) => {
      const busy = workers.slice(0, share.shards.length);
      busy.forEach((worker) => worker.ref());
      return Promise.all(busy.map((worker) => answerOf(worker, share)));
    },
    close: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
}
