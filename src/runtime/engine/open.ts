import { weightNames } from "../../plan/program/program.ts";
import type { Plan } from "../../plan/read-plan.ts";
import { createEngine, type Engine, type EngineParts } from "./engine.ts";

/** The engine of one rank of a plan for the CPU, its weights loaded. */
export function openEngine(
  plan: Plan,
  rank: number,
  how: Pick<EngineParts, "threads" | "collect" | "onStep">,
): Engine {
  const { manifest } = plan;
  const programs = plan.programs(rank);
  const own = weightNames(programs);
  return createEngine({
    kernels: plan.read("kernels.wasm"),
    programs,
    caches: manifest.ranks[rank]?.caches ?? [],
    weights: manifest.weights.filter((w) => own.has(w.name)),
    loadWeight: plan.loadWeight,
    context: manifest.context,
    ...how,
  });
}
