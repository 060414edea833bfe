import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fail } from "../support/diagnostics.ts";
import type { Plan } from "../plan/read-plan.ts";
import { createEngine } from "./engine/engine.ts";

/** A plan loaded and ready: one sequence, whose cache grows with every call. */
export type Session = {
  readonly vocab: number;
  readonly context: number;
  /** How many positions the cache holds. */
  readonly past: () => number;
  /**
   * Run these tokens behind the past. `sink` sees each position's logits in order; the array is valid only meanwhile.
   * Throws `run/id-range` and `run/context`.
   */
  readonly feed: (ids: readonly number[], by: Feeding, sink: LogitsSink, routes?: RoutesSink) => void;
  /** Forget the past and begin another sequence. */
  readonly restart: () => void;
  readonly close: () => Promise<void>;
};

/** Through which program tokens go: many at once, or one by one. */
export type Feeding = "prefill" | "decode";

export type LogitsSink = (logits: Float32Array, position: number) => void;

/** Hears of the experts that each position goes to in each layer of experts; the array is valid only meanwhile. */
export type RoutesSink = (layer: number, experts: Int32Array, position: number) => void;

/** Load a plan into the engine. `threads` defaults to the cores there are. */
export function openSession(plan: Plan, threads = availableParallelism()): Session {
  const { manifest } = plan;
  if (manifest.graph)
    return fail(
      "run/graph",
      { kind: "file", file: plan.dir },
      manifest.graph.inputs.map((it) => it.name).join(", "),
    );
  const { vocab } = manifest.model;
  const engine = createEngine({
    kernels: readFileSync(plan.file("kernels.wasm")),
    programs: manifest.programs,
    caches: manifest.caches,
    weights: manifest.weights,
    loadWeight: plan.loadWeight,
    context: manifest.context,
    threads,
  });
  let past = 0;
  return {
    vocab,
    context: manifest.context,
    past: () => past,
    feed: (ids, by, sink, routes) => {
      const stranger = ids.find((id) => id < 0 || id >= vocab);
      if (stranger !== undefined) fail("run/id-range", undefined, stranger, vocab);
      if (past + ids.length > manifest.context)
        fail("run/context", undefined, past + ids.length, manifest.context);
      const most = engine.maxTokens(by);
      for (let at = 0; at < ids.length; at += most) {
        const chunk = ids.slice(at, at + most);
        const logits = engine.run(by, chunk, past);
        chunk.forEach((_, i) => sink(logits.subarray(i * vocab, (i + 1) * vocab), past + i));
        if (routes)
          engine.routes(by, chunk.length).forEach((chosen, layer) => {
            const k = chosen.length / chunk.length;
            chunk.forEach((_, i) => routes(layer, chosen.subarray(i * k, (i + 1) * k), past + i));
          });
        past += chunk.length;
      }
    },
    restart: () => void (past = 0),
    close: engine.close,
  };
}
