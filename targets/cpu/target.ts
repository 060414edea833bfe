import type { Func, Module } from "../../src/ir/graph.ts";
import { limitsOf, type Cache, type Program } from "../../src/plan/program/program.ts";
import { weightShelf, type WeightRequest, type WeightShelf } from "../../src/plan/weights.ts";
import type { Assemble } from "../../src/wasm/assemble.ts";
import { kernelsText } from "./kernels/module.ts";
import { kernelName, type KernelSpec } from "./kernels/spec.ts";
import { lower, type Lowered } from "./lower.ts";

/** What one rank runs. */
export type RankCode = { readonly programs: readonly Program[]; readonly caches: readonly Cache[] };

/** What the CPU target makes of a module for each rank: programs, the kernels they call, and the weights they read. */
export type CpuCode = {
  readonly ranks: readonly RankCode[];
  /** The WebAssembly module of all kernels. */
  readonly kernels: (assemble: Assemble) => Promise<Uint8Array>;
  /** What ranks have in common is there once. */
  readonly weights: readonly WeightRequest[];
};

/** What the CPU target makes of one function: its results lie where `results` says after the last step. */
export type CpuFunction = Omit<Lowered, "kernels"> & Pick<CpuCode, "kernels">;

/** Lower a function on its own, its weights onto a shelf. A call takes at most `maxTokens` tokens. */
export function cpuFunction(func: Func, shelf: WeightShelf, maxTokens: number): CpuFunction {
  const lowered = lower(func, shelf, { maxTokens });
  return { ...lowered, kernels: (assemble) => assemble(kernelsText(lowered.kernels)) };
}

/**
 * Lower every phase of each rank's module. `batchTokens` is how many tokens one prefill call takes at most; `groups`
 * of ranks have sequences of their own.
 */
export function cpuTarget(modules: readonly Module[], batchTokens: number, groups = 1): CpuCode {
  const shelf = weightShelf();
  const kernels = new Map<string, KernelSpec>();
  const ranks = modules.map((module): RankCode => {
    const lowered = module.funcs.map((func) => lower(func, shelf, limitsOf(func.name, batchTokens, groups)));
    for (const { kernels: specs } of lowered) for (const spec of specs) kernels.set(kernelName(spec), spec);
    return { programs: lowered.map((l) => l.program), caches: lowered[0]?.caches ?? [] };
  });
  return {
    ranks,
    kernels: (assemble) => assemble(kernelsText([...kernels.values()])),
    weights: shelf.requests(),
  };
}
