/** `moec simulate PLAN`: how long a plan takes on its device, kernel by kernel. */
import { modelled } from "../../machine/figures.ts";
import { printStmt } from "../../machine/schedule/printer.ts";
import { checkPositions } from "../../plan/positions.ts";
import { readPlan } from "../../plan/read-plan.ts";
import { traceWriter } from "../../report/trace.ts";
import { clusterFrom } from "../../driver/cluster.ts";
import { simulatePlan, type SimulatedStep } from "../../driver/device/simulate-plan.ts";
import { isLaunch, type Call } from "../../plan/program/device.ts";
import { kernelOf, loadDevice, type Loaded } from "../../runtime/device/device.ts";
import { traceCall } from "../../runtime/device/simulate.ts";
import type { RankTime } from "../../runtime/device/step.ts";
import { fail } from "../../support/diagnostics.ts";
import { counted, table } from "../../support/text.ts";
import { wholeNumber, type CommandSpec } from "../command.ts";
import { writeWhole } from "../../tensor/sink.ts";
import { caution, duration, enginesText, kernelTable, limitsExplained, pathsText, percent } from "../reports/kernels.ts"; // prettier-ignore

type Options = {
  readonly phase: string;
  readonly tokens: number | undefined;
  readonly past: number;
  readonly trace: string | undefined;
  readonly rank: number | undefined;
  readonly cluster: string | undefined;
};

/** What a rank does with others, and how long it waits for them. */
const exchangeTable = ({ exchanges, microseconds }: RankTime): string =>
  table([
    ["exchange", "times", "us", "of all", "us waiting"],
    ...exchanges.map((it) => [
      it.kind,
      `${it.times}`,
      it.microseconds.toFixed(1),
      percent(it.microseconds / microseconds),
      it.waited.toFixed(1),
    ]),
  ]);

const total = (of: readonly { readonly microseconds: number }[]): number =>
  of.reduce((n, it) => n + it.microseconds, 0);
const waiting = ({ exchanges }: RankTime): number => exchanges.reduce((n, it) => n + it.waited, 0);

/** Every rank's share of the step. */
const rankTable = (ranks: readonly RankTime[]): string =>
  table([
    ["rank", "us", "kernels", "exchanges", "waiting"],
    ...ranks.map((it, rank) => [
      `${rank}`,
      it.microseconds.toFixed(1),
      total(it.kernels).toFixed(1),
      total(it.exchanges).toFixed(1),
      waiting(it).toFixed(1),
    ]),
  ]);

/** The rank that is busy longest. */
const busiestRank = (ranks: readonly RankTime[]): number => {
  const busy = ranks.map((it) => total(it.kernels) + total(it.exchanges));
  return busy.indexOf(Math.max(...busy));
};

function textOf({ ranks, loaded, cluster }: SimulatedStep, rank: number): string {
  const [own, profile] = [ranks[rank], loaded[rank]?.profile];
  if (!own || !profile) return "";
  const { kernels, microseconds } = own;
  const launched = kernels.reduce((n, it) => n + it.launches, 0);
  const launches = counted(launched, "launch", "launches");
  const step = duration(Math.max(...ranks.map((it) => it.microseconds)));
  const joules = ranks.reduce((n, it) => n + it.joules, 0).toPrecision(3);
  const whole = cluster
    ? `${step} for a step of all ${ranks.length} ranks, exchanges priced by the links of ${cluster.name};\nabove and below is rank ${rank}, ${launches} on ${profile.name}\n`
    : `${step} in ${launches} on ${profile.name}\n`;
  const facts = [
    whole,
    enginesText(kernels, microseconds),
    pathsText(kernels),
    `energy: ${joules} J by a model; nobody has published energies\n`,
    caution(profile),
    limitsExplained(kernels),
  ].join("");
  return [kernelTable(kernels, microseconds), ...(cluster ? [exchangeTable(own), rankTable(ranks)] : []), facts].join("\n"); // prettier-ignore
}

/** What scripts read: a rank's kernels and exchanges, and each rank's share of the step. */
function reportOf({ ranks, loaded, cluster }: SimulatedStep, rank: number, phase: string, call: Call) {
  const [own, profile] = [ranks[rank], loaded[rank]?.profile];
  const step = Math.max(...ranks.map((it) => it.microseconds));
  return {
    machine: profile?.name,
    phase,
    ...call,
    microseconds: step,
    joules: ranks.reduce((n, it) => n + it.joules, 0),
    kernels: own?.kernels ?? [],
    ...(cluster && {
      cluster: cluster.name,
      rank,
      exchanges: own?.exchanges ?? [],
      ranks: ranks.map((it) => ({
        microseconds: it.microseconds,
        kernels: total(it.kernels),
        exchanges: total(it.exchanges),
        waiting: waiting(it),
      })),
    }),
    energy: "a model",
    ...(profile && { models: modelled(profile) }),
  };
}

/** Every instruction of the first core group, an engine a lane, and what the rank does with others. */
function writeTrace(loaded: Loaded, time: RankTime, put: (text: string) => void): void {
  const trace = traceWriter(put, {
    machine: loaded.profile.name,
    models: modelled(loaded.profile).time.join(", "),
  });
  for (const { step, start, microseconds } of time.spans)
    if (!isLaunch(step))
      trace.add({
        process: "links",
        lane: step.collective.kind,
        name: `${step.collective.kind} of ${step.group.length} ranks`,
        start,
        end: start + microseconds,
        details: { value: step.value },
      });
  traceCall(loaded, time, ({ core, index, engine, start, end, instruction, kernel, value }) =>
    trace.add({
      process: `${loaded.profile.name} group 0`,
      lane: `${core} ${index} ${engine}`,
      name: printStmt(instruction.operation.stmt, kernelOf(loaded.kernels, kernel)),
      start,
      end,
      details: { kernel, value },
    }),
  );
  trace.finish();
}

export const simulateCommand: CommandSpec<Options> = {
  name: "simulate",
  summary: "time a plan on the simulated device",
  args: [["<plan>", "a folder made by moec compile for a device"]],
  options: {
    phase: {
      flags: "--phase <name>",
      help: "the program to time",
      default: "prefill",
      choices: ["prefill", "decode"],
    },
    tokens: {
      flags: "--tokens <n>",
      help: "new tokens of the call (default: as many as a call may bring)",
      parse: wholeNumber(1),
    },
    past: {
      flags: "--past <n>",
      help: "positions that the cache holds before the call",
      default: 0,
      parse: wholeNumber(0),
    },
    trace: {
      flags: "--trace <file>",
      help: "write every instruction of the first core group as a trace that Perfetto opens",
    },
    rank: {
      flags: "--rank <n>",
      help: "the rank whose kernels and exchanges to tell (default: the one that is busy longest)",
      parse: wholeNumber(0),
    },
    cluster: {
      flags: "--cluster <name>",
      help: "price exchanges by the links of this cluster (default: the one the plan is for, else as such devices usually are joined)",
    },
  },
  examples: [
    "moec simulate build/moe-6m-npu",
    "moec simulate build/moe-6m-npu --phase decode --past 1000 --json",
    "moec simulate build/moe-6m-npu --tokens 64 --trace trace.json",
    "moec simulate build/moe-6m-npu8 --rank 0 --cluster '2x4 ascend-910b3'",
  ],
  run: ([path = ""], { phase, tokens, past, trace, rank, cluster }, cx) => {
    const plan = readPlan(path);
    const { machine, target, ranks } = plan.manifest;
    if (machine === undefined) fail("run/no-device", { kind: "file", file: path }, target);
    const most = loadDevice(plan).device.programs.find((it) => it.name === phase)?.maxTokens ?? 1;
    const call = { tokens: tokens ?? most, past };
    if (call.tokens > most) fail("usage/value", { kind: "flag", flag: "--tokens" }, "--tokens", `${call.tokens}`, `at most ${most}, what a call may bring`); // prettier-ignore
    if (rank !== undefined && rank >= ranks.length) fail("usage/value", { kind: "flag", flag: "--rank" }, "--rank", `${rank}`, `0 to ${ranks.length - 1}, the ranks of the plan`); // prettier-ignore
    checkPositions(plan.manifest, past + call.tokens, { kind: "flag", flag: "--past" });
    if (cluster !== undefined && ranks.length === 1)
      cx.log.warn("--cluster changes nothing: a plan of one rank exchanges nothing");
    const found = simulatePlan(plan, phase, call, cluster === undefined ? undefined : clusterFrom(cluster));
    const shown = rank ?? busiestRank(found.ranks);
    const [loaded, time] = [found.loaded[shown], found.ranks[shown]];
    if (trace !== undefined && loaded && time) {
      writeWhole(trace, ({ append }) => writeTrace(loaded, time, append));
      cx.log.wrote(trace);
    }
    cx.stdout.write(cx.json ? `${JSON.stringify(reportOf(found, shown, phase, call), undefined, 2)}\n` : textOf(found, shown)); // prettier-ignore
    return Promise.resolve(0);
  },
};
