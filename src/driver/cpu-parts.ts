import { cpuTarget } from "../../targets/cpu/target.ts";
import type { Module } from "../ir/graph.ts";
import { printModule } from "../ir/printer.ts";
import { noMemory } from "../plan/manifest.ts";
import { channelsOf } from "../plan/program/channels.ts";
import { formatPrograms } from "../plan/program/file.ts";
import type { FileMaker, PlanParts } from "../plan/write-plan.ts";
import type { PhaseTime } from "./device/phase-times.ts";
import { checkFit } from "./ranks/fit.ts";
import { hcclBuffSizeOf, memoryOfRanks, shardModule, type Parallel } from "./ranks/ranks.ts";

/** What a plan owes to the target it is for. */
export type TargetParts = {
  readonly head: Pick<PlanParts["head"], "target" | "machine" | "mesh" | "ranks" | "channels">;
  readonly weights: PlanParts["weights"];
  readonly files: ReadonlyMap<string, FileMaker>;
  /** What the kernels of the first rank take, for devices that are simulated. */
  readonly phaseTimes?: () => readonly PhaseTime[];
};

/** How large a plan's calls may be, and the memory of what runs them: a plan that needs more is refused. */
export type PlanSizes = {
  readonly context: number;
  readonly batchTokens: number;
  readonly memoryPerRank: number;
};

/** The programs of each rank on the CPU, and their kernels. */
export function cpuParts(
  module: Module,
  parallel: Parallel,
  { context, batchTokens, memoryPerRank }: PlanSizes,
): TargetParts {
  const modules = shardModule(module, parallel);
  const target = cpuTarget(modules, batchTokens, parallel.mesh.dp);
  const channels = channelsOf(target.ranks.map((it) => it.programs));
  const memory = memoryOfRanks(target, context, channels);
  checkFit({ mesh: parallel.mesh, modules, memory, context, limits: modules.map(() => memoryPerRank) });
  const text = new TextEncoder();
  const files = new Map<string, FileMaker>([["kernels.wasm", target.kernels]]);
  const ranks = target.ranks.map((code, rank) => {
    const { programs, caches } = code;
    const hcclBuffSizeMB = hcclBuffSizeOf(code.programs, parallel.mesh);
    const own = modules[rank];
    if (own && own !== module) files.set(`rank-${rank}.mir`, () => text.encode(printModule(own)));
    files.set(`rank-${rank}.json`, () => text.encode(formatPrograms(programs)));
    return {
      programs: `rank-${rank}.json`,
      caches: caches.map((c) => ({ ...c })),
      memory: memory[rank] ?? noMemory,
      ...(hcclBuffSizeMB !== undefined && { hcclBuffSizeMB }),
    };
  });
  const head = {
    target: "cpu",
    mesh: parallel.mesh,
    ranks,
    channels: channels.map(({ group, bytes }) => ({ group: [...group], bytes })),
  };
  return { head, weights: target.weights, files };
}
