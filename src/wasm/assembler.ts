import { Worker } from "node:worker_threads";
import { siblingModule } from "../support/sibling-module.ts";
import type { Assemble } from "./assemble.ts";

/** An assembler on a thread of its own: it loads while the caller works, and must be closed. */
export type Assembler = { readonly assemble: Assemble; readonly close: () => Promise<unknown> };

/** What the thread answers a text with. */
export type Assembled = { readonly bytes: Uint8Array<ArrayBuffer> } | { readonly error: unknown };

export function startAssembler(): Assembler {
  const worker = new Worker(siblingModule("./assembler-worker.ts", import.meta.url));
  worker.unref();
  let turn: Promise<unknown> = Promise.resolve();
  const ask = (text: string): Promise<Uint8Array<ArrayBuffer>> =>
    new Promise((resolve, reject) => {
      worker.ref();
      const settle = () => {
        worker.off("error", reject);
        worker.unref();
      };
      worker.once("error", reject);
      worker.once("message", (answer: Assembled) => {
        settle();
        if ("bytes" in answer) resolve(answer.bytes);
        else reject(answer.error);
      });
      worker.postMessage(text);
    });
  return {
    // One text at a time, so that answers need no names.
    assemble: (text) => {
      const answer = turn.then(() => ask(text));
      turn = answer.catch(() => {});
      return answer;
    },
    close: () => worker.terminate(),
  };
}
