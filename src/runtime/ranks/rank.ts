/** The process of one rank: loads its shard, then runs what it is told until it is told to close or its parent is gone. */
import { readFileSync } from "node:fs";
import { weightNames } from "../../plan/program/program.ts";
import { readPlan } from "../../plan/read-plan.ts";
import { CompileError } from "../../support/diagnostics.ts";
import { createEngine, type Engine } from "../engine/engine.ts";
import { collectOver } from "./collect.ts";
import { openFabric } from "./fabric.ts";
import type { Order, Report } from "./messages.ts";

type Start = Extract<Order, { readonly kind: "start" }>;

const parent = process.ppid;
/** A rank whose parent has died is nobody's: it ends, also in the middle of a wait. */
const leaveIfOrphaned = (): void => {
  if (process.ppid !== parent) process.exit(1);
};

const say = (report: Report): void => void process.send?.(report);

function load({ plan: dir, rank, threads, fabric, spins }: Start): Engine {
  const plan = readPlan(dir);
  const programs = plan.programs(rank);
  const own = weightNames(programs);
  return createEngine({
    kernels: readFileSync(plan.file("kernels.wasm")),
    programs,
    caches: plan.manifest.ranks[rank]?.caches ?? [],
    weights: plan.manifest.weights.filter((w) => own.has(w.name)),
    loadWeight: plan.loadWeight,
    context: plan.manifest.context,
    threads,
    collect: collectOver(openFabric(fabric, rank, { spins, watch: leaveIfOrphaned })),
  });
}

let engine: Engine | undefined;
let answers = false;

function obey(order: Order): void {
  switch (order.kind) {
    case "start":
      engine = load(order);
      answers = order.answers;
      return say({
        kind: "ready",
        maxTokens: { prefill: engine.maxTokens("prefill"), decode: engine.maxTokens("decode") },
      });
    case "feed": {
      if (!engine) throw new Error("a rank is fed before it was started");
      const logits = engine.run(order.by, order.ids, order.past);
      const routes = engine.routes(order.by, order.ids.length).map((it) => it.slice());
      return say({ kind: "fed", logits: answers ? logits.slice() : undefined, routes });
    }
    case "close":
      process.exit(0);
  }
}

process.on("SIGINT", () => {}); // the terminal sends it to all; the parent decides what comes of it
process.on("disconnect", () => process.exit(1));
process.on("message", (order: Order) => {
  try {
    obey(order); // sent by the team in this package
  } catch (error) {
    const diagnostics = error instanceof CompileError ? error.diagnostics : [];
    say({
      kind: "failed",
      diagnostics,
      fault: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
});
