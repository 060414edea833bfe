/** `moec simulate PLAN`: how long a plan takes on its device, kernel by kernel. */
import { closeSync, openSync, writeSync } from "node:fs";
import { modelled } from "../../machine/figures.ts";
import type { Profile } from "../../machine/profile.ts";
import { limits } from "../../machine/simulate/limit.ts";
import { printStmt } from "../../machine/schedule/printer.ts";
import { readPlan } from "../../plan/read-plan.ts";
import { traceWriter } from "../../report/trace.ts";
import type { Call } from "../../plan/program/device.ts";
import { kernelOf, loadDevice, type Loaded } from "../../runtime/device/device.ts";
import { simulate, traceCall, type KernelTime, type Simulated } from "../../runtime/device/simulate.ts";
import { fail } from "../../support/diagnostics.ts";
import { number, table } from "../../support/text.ts";
import { wholeNumber, type CommandSpec } from "../command.ts";

type Options = {
  readonly phase: string;
  readonly tokens: number | undefined;
  readonly past: number;
  readonly trace: string | undefined;
};

/** Figures that the text names of those that are models. */
const shownFigures = 4;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(2);

/** The engine that works most. */
function busiest({ utilisation }: KernelTime): string {
  const [engine, share] = Object.entries(utilisation).toSorted(([, a], [, b]) => b - a)[0] ?? ["-", 0];
  return `${engine} ${percent(share)}`;
}

/** What of a simulation rests on figures that nobody has published. */
function caution(profile: Profile): string {
  const { time } = modelled(profile);
  const [figures, are] = time.length === 1 ? ["figure", "is"] : ["figures", "are"];
  const more = time.length > shownFigures ? ", …" : "";
  return time.length === 0
    ? ""
    : `times rest on ${time.length} ${figures} that ${are} a model, as nobody has published them: ${time.slice(0, shownFigures).join(", ")}${more}; moec targets ${profile.name} tells all\n`;
}

function textOf({ microseconds, joules, kernels }: Simulated, profile: Profile): string {
  const rows = kernels.map((it) => [
    it.kernel,
    `${it.launches}`,
    it.microseconds.toFixed(1),
    percent(it.microseconds / microseconds),
    percent(it.roofline),
    it.limit,
    busiest(it),
    mebibytes(it.memoryBytes),
  ]);
  const launches = kernels.reduce((n, it) => n + it.launches, 0);
  const explained = [...new Set(kernels.map((it) => it.limit))].map((it) => `limit ${it}: ${limits[it]}\n`);
  return [
    table([
      ["kernel", "launches", "us", "of all", "of roofline", "limit", "busiest engine", "MiB of memory"],
      ...rows,
    ]),
    `${microseconds.toFixed(1)} us in ${number(launches)} launches on ${profile.name}; ${joules.toPrecision(3)} J by the profile's model of energy, which nobody has published\n${caution(profile)}`,
    explained.join(""),
  ].join("\n");
}

/** Every instruction of the first core group, an engine a lane. */
function writeTrace(loaded: Loaded, program: string, call: Call, file: string): void {
  const fd = openSync(file, "w");
  try {
    const trace = traceWriter((text) => void writeSync(fd, text), {
      machine: loaded.profile.name,
      models: modelled(loaded.profile).time.join(", "),
    });
    traceCall(loaded, program, call, ({ core, index, engine, start, end, instruction, kernel, value }) =>
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
  } finally {
    closeSync(fd);
  }
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
  },
  examples: [
    "moec simulate build/moe-6m-npu",
    "moec simulate build/moe-6m-npu --phase decode --past 1000 --json",
    "moec simulate build/moe-6m-npu --tokens 64 --trace trace.json",
  ],
  run: ([path = ""], { phase, tokens, past, trace }, cx) => {
    const plan = readPlan(path);
    if (plan.manifest.machine === undefined)
      fail("run/no-device", { kind: "file", file: path }, plan.manifest.target);
    const loaded = loadDevice(plan);
    const most = loaded.device.programs.find((it) => it.name === phase)?.maxTokens ?? 1;
    const call = { tokens: tokens ?? most, past };
    if (call.tokens > most) fail("usage/value", { kind: "flag", flag: "--tokens" }, "--tokens", `${call.tokens}`, `at most ${most}, what a call may bring`); // prettier-ignore
    if (past + call.tokens > plan.manifest.context)
      fail("run/context", undefined, past + call.tokens, plan.manifest.context);
    const found = simulate(loaded, phase, call);
    if (trace !== undefined) writeTrace(loaded, phase, call, trace);
    const report = { machine: loaded.profile.name, phase, ...call, ...found, energy: "a model", models: modelled(loaded.profile) }; // prettier-ignore
    cx.stdout.write(cx.json ? `${JSON.stringify(report, undefined, 2)}\n` : textOf(found, loaded.profile));
    return Promise.resolve(0);
  },
};
