import type { Arg, CollectiveStep, Extent, Program, Rows } from "../../plan/program/program.ts";
import { fail } from "../../support/diagnostics.ts";
import { barrier, type Team } from "./barrier.ts";
import type { MemoryLayout } from "./layout.ts";
import { sizeTable } from "../../plan/program/sizes.ts";

/** A program bound to one thread's instance of the kernels; its call's sizes stand in memory. */
export type BoundProgram = (past: number) => void;

/** Rows as they lie in this call: from byte `at` of a memory. */
export type PlacedRows = {
  readonly memory: ArrayBufferLike;
  readonly at: number;
  readonly rows: number;
  readonly width: number;
  readonly stride: number;
  /** Makes numbers what can be kept there; absent, they are float32. */
  readonly round?: ((x: number) => number) | undefined;
};

/** What a collective is given: where its rows are, what an extent counts, and a place for the size that it tells. */
export type CollectiveCall = {
  readonly step: CollectiveStep;
  readonly place: (rows: Rows) => PlacedRows;
  readonly size: (extent: Extent) => number;
  readonly tell: (dim: string, size: number) => void;
};

/** Does one collective with the other ranks; comes back when this rank's results are there. */
export type Collect = (call: CollectiveCall) => void;

/** What a program is bound to. */
export type Binding = {
  readonly layout: MemoryLayout;
  readonly memory: WebAssembly.Memory;
  readonly exports: WebAssembly.Exports;
  readonly team: Team;
  readonly thread: number;
  /** Given to the thread that does the collectives. */
  readonly collect?: Collect | undefined;
  /** Hears of each step when all threads have done their share of it. */
  readonly onStep?: ((step: number) => void) | undefined;
};

type KernelFunction = (...args: number[]) => void;
type Bound = (past: number) => void;

/** Bind every step to its function and its addresses; what depends on the call is looked up at the call. */
export function bindProgram(program: Program, binding: Binding): BoundProgram {
  const { layout, memory, exports, team, thread, collect, onStep } = binding;
  const buffers = layout.buffers.get(program.name);
  const dims = sizeTable(program);
  const sizes = new Int32Array(memory.buffer, layout.sizes, dims.length);
  const known = (address: number | undefined, what: string): number =>
    address ?? fail("plan/damaged", undefined, "plan.json", `a step reads ${what}, which is not there`);
  const sizeOf = ({ times, dim }: Extent): (() => number) => {
    const at = dims.indexOf(dim);
    return () => times * (sizes[at] ?? 0);
  };
  const region = (name: string): number => known(buffers?.get(name) ?? layout.caches.get(name)?.base, name);
  const resolve = (arg: Arg): ((past: number) => number) => {
    switch (arg.kind) {
      case "weight": {
        const at = known(layout.weights.get(arg.name), arg.name);
        return () => at;
      }
      case "buffer": {
        const at = region(arg.name) + arg.offset;
        const skip = arg.skip && sizeOf(arg.skip);
        return skip ? () => at + skip() : () => at;
      }
      case "cacheEnd": {
        const cache = layout.caches.get(arg.name);
        const base = known(cache?.base, arg.name);
        return (past) => base + past * (cache?.rowBytes ?? 0);
      }
      case "literal":
        return () => arg.value;
      case "extent":
        return sizeOf(arg.extent);
      case "scratch": {
        const at = layout.scratch + thread * layout.scratchBytes;
        return () => at;
      }
    }
  };
  const bindCollective = (step: CollectiveStep): Bound => {
    if (!collect) return () => {};
    const call: CollectiveCall = {
      step,
      place: ({ buffer, offset, skip, rows, width, stride }) => ({
        memory: memory.buffer,
        at: region(buffer) + offset + (skip ? sizeOf(skip)() : 0),
        rows: sizeOf(rows)(),
        width,
        stride,
      }),
      size: (extent) => sizeOf(extent)(),
      tell: (dim, size) => void (sizes[dims.indexOf(dim)] = size),
    };
    return () => collect(call);
  };
  const steps = program.steps.map((step): Bound => {
    if ("collective" in step) return bindCollective(step);
    const kernel = exports[step.kernel];
    if (typeof kernel !== "function")
      return fail("plan/damaged", undefined, "kernels.wasm", `it has no ${step.kernel}`);
    const run = kernel as KernelFunction;
    const [args, units] = [step.args.map(resolve), sizeOf(step.units)];
    return (past) => {
      const total = units();
      const begin = Math.floor((total * thread) / team.threads);
      const end = Math.floor((total * (thread + 1)) / team.threads);
      if (begin < end) run(...args.map((arg) => arg(past)), begin, end);
    };
  });
  return (past) => {
    for (const [i, step] of steps.entries()) {
      step(past);
      barrier(team);
      onStep?.(i);
    }
  };
}
