import { workerData } from "node:worker_threads";
import type { Program } from "../../plan/program/program.ts";
import { waitWhile, word, type Team } from "./barrier.ts";
import { bindProgram } from "./execute.ts";
import type { MemoryLayout } from "./layout.ts";

/** What the engine hands to each thread. */
export type WorkerStart = {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly programs: readonly Program[];
  readonly layout: MemoryLayout;
  readonly team: Team;
  readonly thread: number;
};

const { module, memory, programs, layout, team, thread }: WorkerStart = workerData; // made by createEngine in this package
const { exports } = new WebAssembly.Instance(module, { env: { memory } });
const bound = programs.map((p) => bindProgram(p, { layout, memory, exports, team, thread }));

try {
  for (let call = 0; ; call++) {
    waitWhile(team, word.call, call);
    const number = Atomics.load(team.words, word.program);
    if (number < 0) break;
    bound[number]?.(Atomics.load(team.words, word.past));
  }
} catch (error) {
  Atomics.store(team.words, word.failed, 1);
  Atomics.notify(team.words, word.round);
  throw error;
}
