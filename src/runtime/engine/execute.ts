import type { Arg, Program } from "../../plan/program.ts";
import { fail } from "../../support/diagnostics.ts";
import { barrier, type Team } from "./barrier.ts";
import { count, type MemoryLayout } from "./layout.ts";

/** A program bound to one thread's instance of the kernels. */
export type BoundProgram = (tokens: number, past: number) => void;

type KernelFunction = (...args: number[]) => void;

/** Bind every step to its function and its addresses; what depends on the call is filled in at the call. */
export function bindProgram(
  program: Program,
  layout: MemoryLayout,
  exports: WebAssembly.Exports,
  team: Team,
  thread: number,
): BoundProgram {
  const buffers = layout.buffers.get(program.name);
  const known = (address: number | undefined, what: string): number =>
    address ?? fail("plan/damaged", undefined, "plan.json", `a step reads ${what}, which is not there`);
  const resolve = (arg: Arg): ((tokens: number, positions: number, past: number) => number) => {
    switch (arg.kind) {
      case "weight": {
        const at = known(layout.weights.get(arg.name), arg.name);
        return () => at;
      }
      case "buffer": {
        const at = known(buffers?.get(arg.name) ?? layout.caches.get(arg.name)?.base, arg.name) + arg.offset;
        return () => at;
      }
      case "cacheEnd": {
        const cache = layout.caches.get(arg.name);
        const base = known(cache?.base, arg.name);
        return (_tokens, _positions, past) => base + past * (cache?.rowBytes ?? 0);
      }
      case "literal":
        return () => arg.value;
      case "extent":
        return (tokens, positions) => count(arg.extent, tokens, positions);
      case "scratch": {
        const at = layout.scratch + thread * layout.scratchBytes;
        return () => at;
      }
    }
  };
  const steps = program.steps.map((step) => {
    const kernel = exports[step.kernel];
    if (typeof kernel !== "function")
      return fail("plan/damaged", undefined, "kernels.wasm", `it has no ${step.kernel}`);
    return { kernel: kernel as KernelFunction, args: step.args.map(resolve), units: step.units };
  });
  return (tokens, past) => {
    const positions = past + tokens;
    for (const { kernel, args, units } of steps) {
      const total = count(units, tokens, positions);
      const begin = Math.floor((total * thread) / team.threads);
      const end = Math.floor((total * (thread + 1)) / team.threads);
      if (begin < end) kernel(...args.map((arg) => arg(tokens, positions, past)), begin, end);
      barrier(team);
    }
  };
}
