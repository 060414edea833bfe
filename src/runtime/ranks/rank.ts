/** The process of one rank: loads its shard, then runs what it is told until it is told to close or its parent is gone. */
import { readPlan, type Plan } from "../../plan/read-plan.ts";
import { CompileError } from "../../support/diagnostics.ts";
import { createDevice } from "../device/device.ts";
import { openEngine } from "../engine/open.ts";
import type { Collect } from "../engine/execute.ts";
import { deviceProbe, engineProbe, lookInto, prefillOf, type Probe } from "../probe.ts";
import { collectOver } from "./collect.ts";
import { openFabric } from "./fabric.ts";
import type { Order, Report } from "./messages.ts";
import type { Feeding } from "../session.ts";
import type { Answer } from "./team.ts";

type Start = Extract<Order, { readonly kind: "start" }>;

const parent = process.ppid;
/** A rank whose parent has died is nobody's: it ends, also in the middle of a wait. */
const leaveIfOrphaned = (): void => {
  if (process.ppid !== parent) process.exit(1);
};

const say = (report: Report): void => void process.send?.(report);

/** What runs a rank's programs, on this machine or on a simulated device. */
type Runner = {
  readonly maxTokens: (by: Feeding) => number;
  readonly run: (by: Feeding, ids: readonly number[], past: number) => Answer;
  readonly probe: () => Probe;
};

function engineOf(plan: Plan, rank: number, threads: number, collect: Collect): Runner {
  let listener: ((step: number) => void) | undefined;
  const engine = openEngine(plan, rank, { threads, collect, onStep: (_, step) => listener?.(step) });
  return {
    maxTokens: engine.maxTokens,
    probe: () => engineProbe(engine, prefillOf(plan.programs(rank)), (it) => void (listener = it)),
    run: (by, ids, past) => ({ logits: engine.run(by, ids, past), routes: engine.routes(by, ids.length) }),
  };
}

function deviceOf(plan: Plan, rank: number, collect: Collect): Runner {
  const device = createDevice(plan, rank, collect);
  return {
    maxTokens: (by) => device.program(by).maxTokens,
    run: (by, ids, past) => device.run(by, ids, past),
    probe: () => deviceProbe(device),
  };
}

function load({ plan: dir, rank, threads, fabric, spins }: Start): Runner {
  const plan = readPlan(dir);
  const collect = collectOver(openFabric(fabric, rank, { spins, watch: leaveIfOrphaned }));
  return plan.manifest.machine === undefined
    ? engineOf(plan, rank, threads, collect)
    : deviceOf(plan, rank, collect);
}

let runner: Runner | undefined;
let answers = false;

function obey(order: Order): void {
  switch (order.kind) {
    case "start":
      runner = load(order);
      answers = order.answers;
      return say({
        kind: "ready",
        maxTokens: { prefill: runner.maxTokens("prefill"), decode: runner.maxTokens("decode") },
      });
    case "look": {
      if (!runner) throw new Error("a rank is looked into before it was started");
      return say({ kind: "seen", seen: lookInto(runner.probe(), order.ids, order.look) });
    }
    case "feed": {
      if (!runner) throw new Error("a rank is fed before it was started");
      const { logits, routes } = runner.run(order.by, order.ids, order.past);
      return say({
        kind: "fed",
        logits: answers ? logits.slice() : undefined,
        routes: routes.map((it) => it.slice()),
      });
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
