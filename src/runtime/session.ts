import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fail } from "../support/diagnostics.ts";
import type { Plan } from "../plan/read-plan.ts";
import { weightNames } from "../plan/program/program.ts";
import { createDevice } from "./device/device.ts";
import { createEngine } from "./engine/engine.ts";
import { startTeam, type Answer } from "./ranks/team.ts";

/** A plan loaded and ready: one sequence, whose cache grows with every call. */
export type Session = {
  readonly vocab: number;
  readonly context: number;
  /** How many positions the cache holds. */
  readonly past: () => number;
  /**
   * Run these tokens behind the past. `sink` sees each position's logits in order; the array is valid only meanwhile.
   * Throws `run/id-range` and `run/context`, and `run/rank-lost` where one of several ranks is gone.
   */
  readonly feed: (
    ids: readonly number[],
    by: Feeding,
    sink: LogitsSink,
    routes?: RoutesSink,
  ) => Promise<void>;
  /** Forget the past and begin another sequence. */
  readonly restart: () => void;
  readonly close: () => Promise<void>;
};

/** Through which program tokens go: many at once, or one by one. */
export type Feeding = "prefill" | "decode";

export type LogitsSink = (logits: Float32Array, position: number) => void;

/** Hears of the experts that each position goes to in each layer of experts; the array is valid only meanwhile. */
export type RoutesSink = (layer: number, experts: Int32Array, position: number) => void;

/** What runs the programs of a plan, here or in processes of its own. */
type Runner = {
  readonly maxTokens: (by: Feeding) => Promise<number> | number;
  readonly run: (by: Feeding, ids: readonly number[], past: number) => Promise<Answer> | Answer;
  readonly close: () => Promise<void>;
};

/** The engine of a plan of one rank, in this process. */
function runHere(plan: Plan, threads: number): Runner {
  const { manifest } = plan;
  const programs = plan.programs(0);
  const own = weightNames(programs);
  const engine = createEngine({
    kernels: readFileSync(plan.file("kernels.wasm")),
    programs,
    caches: manifest.ranks[0]?.caches ?? [],
    weights: manifest.weights.filter((w) => own.has(w.name)),
    loadWeight: plan.loadWeight,
    context: manifest.context,
    threads,
  });
  return {
    maxTokens: engine.maxTokens,
    run: (by, ids, past) => ({
      logits: engine.run(by, ids, past),
      routes: engine.routes(by, ids.length),
    }),
    close: engine.close,
  };
}

/** The simulated device of a plan for one. */
function runOnDevice(plan: Plan): Runner {
  const device = createDevice(plan);
  return { maxTokens: (by) => device.program(by).maxTokens, run: device.run, close: async () => {} };
}

function runnerOf(plan: Plan, threads: number): Runner {
  if (plan.manifest.ranks.length > 1) return startTeam(plan, threads);
  return plan.manifest.machine === undefined ? runHere(plan, threads) : runOnDevice(plan);
}

/** Load a plan: into an engine here, or into one process for each of its ranks. `threads` defaults to the cores there are. */
export function openSession(plan: Plan, threads = availableParallelism()): Session {
  const { manifest } = plan;
  if (manifest.graph)
    return fail(
      "run/graph",
      { kind: "file", file: plan.dir },
      manifest.graph.inputs.map((it) => it.name).join(", "),
    );
  const { vocab } = manifest.model;
  const runner = runnerOf(plan, threads);
  let past = 0;
  return {
    vocab,
    context: manifest.context,
    past: () => past,
    feed: async (ids, by, sink, routes) => {
      const stranger = ids.find((id) => id < 0 || id >= vocab);
      if (stranger !== undefined) fail("run/id-range", undefined, stranger, vocab);
      if (past + ids.length > manifest.context)
        fail("run/context", undefined, past + ids.length, manifest.context);
      const most = await runner.maxTokens(by);
      for (let at = 0; at < ids.length; at += most) {
        const chunk = ids.slice(at, at + most);
        const answer = await runner.run(by, chunk, past);
        chunk.forEach((_, i) => sink(answer.logits.subarray(i * vocab, (i + 1) * vocab), past + i));
        if (routes)
          answer.routes.forEach((chosen, layer) => {
            const k = chosen.length / chunk.length;
            chunk.forEach((_, i) => routes(layer, chosen.subarray(i * k, (i + 1) * k), past + i));
          });
        past += chunk.length;
      }
    },
    restart: () => void (past = 0),
    close: runner.close,
  };
}
