import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Cache, Program } from "../../plan/program/program.ts";
import { fail } from "../../support/diagnostics.ts";
import { siblingModule } from "../../support/sibling-module.ts";
import { word, type Team } from "./barrier.ts";
import { bindProgram, type Collect } from "./execute.ts";
import { layoutMemory } from "./layout.ts";
import { count, fillSizes, sizeTable } from "../../plan/program/sizes.ts";
import type { WorkerStart } from "./worker.ts";

export type EngineParts = {
  readonly kernels: Uint8Array;
  readonly programs: readonly Program[];
  readonly caches: readonly Cache[];
  readonly weights: readonly { readonly name: string; readonly bytes: number }[];
  /** Fill a weight's place in memory. */
  readonly loadWeight: (name: string, target: Uint8Array) => void;
  readonly context: number;
  readonly threads: number;
  /** Does the collectives of a rank among many. */
  readonly collect?: Collect | undefined;
  /** Hears of each step of a program that is done; for engines of one thread. */
  readonly onStep?: (program: string, step: number) => void;
};

/** Runs the programs of a plan over one shared memory. Calls must follow one another: caches grow with `past`. */
export type Engine = {
  readonly maxTokens: (program: string) => number;
  /** Run tokens at positions past, past+1, …; gives their logits, valid until the next call, or none where this rank has none. */
  readonly run: (program: string, ids: readonly number[], past: number) => Float32Array;
  /** Run a program on `tokens` rows of its buffers: fills those given, and gives the room of others by name and first byte. */
  readonly call: (
    program: string,
    inputs: ReadonlyMap<string, Float32Array | Int32Array>,
    tokens?: number,
  ) => (buffer: string, length: number, offset: number) => Float32Array;
  /** The choices of each router in the last run of a program on so many tokens, [rows, k]; valid until the next call. */
  readonly routes: (program: string, tokens: number) => readonly Int32Array[];
  /** A buffer of a program as it is now, so many words of it. */
  readonly buffer: (program: string, name: string, length: number) => Float32Array;
  readonly close: () => Promise<void>;
};

const pageBytes = 65536;
const addressable = 2 ** 32;
const spins = 2000;

/** Load a plan's weights and kernels and start its threads. Throws `run/memory` where 32-bit memory is too small. */
export function createEngine(parts: EngineParts): Engine {
  const { programs, threads } = parts;
  const layout = layoutMemory(programs, parts.caches, parts.weights, parts.context, threads);
  if (layout.totalBytes > addressable) return fail("run/memory", undefined, layout.totalBytes, addressable);
  const pages = Math.ceil(layout.totalBytes / pageBytes);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
  for (const { name, bytes } of parts.weights)
    parts.loadWeight(name, new Uint8Array(memory.buffer, layout.weights.get(name) ?? 0, bytes));
  const module = new WebAssembly.Module(Uint8Array.from(parts.kernels));
  // Looking again and again only pays where each thread has a core to itself.
  const team: Team = {
    words: new Int32Array(memory.buffer, layout.control, 16),
    threads,
    spins: threads <= availableParallelism() ? spins : 0,
  };
  const workers = Array.from({ length: threads - 1 }, (_, i) => {
    const workerData: WorkerStart = { module, memory, programs, layout, team, thread: i + 1 };
    const worker = new Worker(siblingModule("./worker.ts", import.meta.url), { workerData });
    worker.on("error", () => Atomics.store(team.words, word.failed, 1));
    worker.unref();
    return worker;
  });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const { collect } = parts;
  const bound = programs.map((p) => {
    const onStep = (step: number) => parts.onStep?.(p.name, step);
    return bindProgram(p, { layout, memory, exports, team, thread: 0, collect, onStep });
  });
  const tables = programs.map(sizeTable);
  const numberOf = (name: string): number => {
    const number = programs.findIndex((p) => p.name === name);
    return number < 0 ? fail("plan/damaged", undefined, "plan.json", `it has no ${name} program`) : number;
  };
  const start = (program: number, tokens: number, past: number) => {
    const dims = tables[program] ?? [];
    fillSizes(new Int32Array(memory.buffer, layout.sizes, dims.length), dims, tokens, past + tokens);
    Atomics.store(team.words, word.program, program);
    Atomics.store(team.words, word.past, past);
    Atomics.add(team.words, word.call, 1);
    Atomics.notify(team.words, word.call);
  };
  return {
    maxTokens: (name) => programs[numberOf(name)]?.maxTokens ?? 0,
    run: (name, ids, past) => {
      const number = numberOf(name);
      const program = programs[number];
      if (!program || ids.length > program.maxTokens)
        throw new Error(`${name} takes at most ${program?.maxTokens} tokens a call`);
      if (past + ids.length > parts.context) throw new Error(`its caches hold ${parts.context} positions`);
      const at = (buffer: string) => layout.buffers.get(name)?.get(buffer) ?? 0;
      new Int32Array(memory.buffer, at(program.inputs.ids), ids.length).set(ids);
      new Int32Array(memory.buffer, at(program.inputs.positions), ids.length).set(
        ids.map((_, i) => past + i),
      );
      start(number, ids.length, past);
      bound[number]?.(past);
      const logits = program.buffers.find((b) => b.name === program.logits);
      const values = logits ? (count(logits.rows, ids.length, past + ids.length) * logits.rowBytes) / 4 : 0;
      return new Float32Array(memory.buffer, at(logits?.name ?? ""), values);
    },
    call: (name, inputs, tokens = 1) => {
      const number = numberOf(name);
      const at = (buffer: string) => layout.buffers.get(name)?.get(buffer) ?? 0;
      for (const [buffer, values] of inputs)
        new Uint8Array(memory.buffer, at(buffer), values.byteLength).set(
          new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
        );
      start(number, tokens, 0);
      bound[number]?.(0);
      return (buffer, length, offset) => new Float32Array(memory.buffer, at(buffer) + offset, length);
    },
    routes: (name, tokens) =>
      (programs[numberOf(name)]?.routers ?? []).map(
        ({ buffer, rows, k }) =>
          new Int32Array(
            memory.buffer,
            layout.buffers.get(name)?.get(buffer) ?? 0,
            count(rows, tokens, tokens) * k,
          ),
      ),
    buffer: (program, name, length) =>
      new Float32Array(memory.buffer, layout.buffers.get(program)?.get(name) ?? 0, length),
    close: async () => {
      start(-1, 0, 0);
      await Promise.all(workers.map((w) => w.terminate()));
    },
  };
}
