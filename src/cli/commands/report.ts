/** `moec report PLAN -o FILE.html`: what a plan takes on its device, as a page to read and to pass on. */
import { basename, resolve } from "node:path";
import { simulatePlan } from "../../driver/device/simulate-plan.ts";
import { readPlan, type Plan } from "../../plan/read-plan.ts";
import { deviceReport, type PhaseReport } from "../../report/device.ts";
import { loadDevice } from "../../runtime/device/device.ts";
import { fail } from "../../support/diagnostics.ts";
import { writeText } from "../../tensor/sink.ts";
import type { CommandSpec } from "../command.ts";

type Options = { readonly output: string };

/** The longest call of each phase, on the rank that is busy longest. */
function phasesOf(plan: Plan): readonly PhaseReport[] {
  const { context } = plan.manifest;
  return loadDevice(plan).device.programs.flatMap(({ name, maxTokens }) => {
    const call = { tokens: maxTokens, past: maxTokens === 1 ? context - 1 : 0 };
    const { ranks, loaded } = simulatePlan(plan, name, call);
    const busy = ranks.map((it) => [...it.kernels, ...it.exchanges].reduce((n, of) => n + of.microseconds, 0)); // prettier-ignore
    const rank = busy.indexOf(Math.max(...busy));
    const [own, profile] = [ranks[rank], loaded[rank]?.profile];
    if (!own || !profile) return [];
    const { microseconds, kernels, exchanges } = own;
    const joules = ranks.reduce((n, it) => n + it.joules, 0);
    return [{ phase: name, ...call, rank, ranks: ranks.length, microseconds, joules, kernels, exchanges, profile }]; // prettier-ignore
  });
}

export const reportCommand: CommandSpec<Options> = {
  name: "report",
  summary: "write what a plan takes on its device as an HTML page",
  args: [["<plan>", "a folder made by moec compile for a device"]],
  options: {
    output: {
      flags: "-o, --output <file>",
      help: "the page to write; it needs no other file, script or network",
      required: true,
    },
  },
  examples: ["moec report build/moe-6m-npu -o build/moe-6m-npu.html"],
  run: ([path = ""], { output }, cx) => {
    const plan = readPlan(path);
    const { machine, target, model, quantization } = plan.manifest;
    if (machine === undefined) fail("run/no-device", { kind: "file", file: path }, target);
    const phases = phasesOf(plan);
    const page = deviceReport(`${basename(resolve(path))}: ${model.family}, ${quantization}, on ${machine}`, phases); // prettier-ignore
    writeText(output, page);
    cx.log.wrote(output);
    if (cx.json)
      cx.stdout.write(`${JSON.stringify({ output, phases: phases.map(({ phase, microseconds }) => ({ phase, microseconds })) }, undefined, 2)}\n`); // prettier-ignore
    return Promise.resolve(0);
  },
};
