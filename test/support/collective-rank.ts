/** A thread that stands for a rank: runs one program of collectives after another over the fabrics it is given. */
import { parentPort } from "node:worker_threads";
import type { Program } from "../../src/plan/program/program.ts";
import type { View } from "../../src/plan/views.ts";
import { createEngine } from "../../src/runtime/engine/engine.ts";
import { collectOver } from "../../src/runtime/ranks/collect.ts";
import { openFabric, type FabricPlan } from "../../src/runtime/ranks/fabric.ts";

export type RankTask = {
  readonly program: Program;
  readonly kernels: Uint8Array;
  readonly fabric: FabricPlan;
  readonly rank: number;
  readonly inputs: ReadonlyMap<string, Float32Array | Int32Array>;
  /** Where results lie, and how many elements they have. */
  readonly results: readonly { readonly name: string; readonly view: View; readonly size: number }[];
};

const port = parentPort;
port?.on("message", ({ program, kernels, fabric, rank, inputs, results }: RankTask) => {
  const ends = openFabric(fabric, rank, { spins: 10, watch: () => {} });
  const engine = createEngine({
    kernels,
    programs: [program],
    caches: [],
    weights: [],
    loadWeight: () => {},
    context: 1,
    threads: 1,
    collect: collectOver(ends),
  });
  const read = engine.call(program.name, inputs);
  port.postMessage(
    results.map(({ name, view, size }) => [name, read(view.region, size, view.offset * 4).slice()] as const),
  );
  ends.close();
});
