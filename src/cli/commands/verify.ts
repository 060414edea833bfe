/** `moec verify PLAN --against MODEL`: whether a plan's schedules are legal; layer by layer, where a plan is not what its model is. */
import { referencePlan } from "../../driver/reference.ts";
import { readText } from "../../driver/text-file.ts";
import { scheduleFaults } from "../../plan/check-schedules.ts";
import { scheduleFile } from "../../plan/program/device.ts";
import { readPlan, type Plan } from "../../plan/read-plan.ts";
import { compareLayers, type ComparedLayer, type ComparedValue } from "../../runtime/eval/compare.ts";
import { loadDevice } from "../../runtime/device/device.ts";
import { loadTokenizer } from "../../runtime/tokenizer.ts";
import { openTracer, type Tracer } from "../../runtime/trace.ts";
import { CompileError, diag, exitCodes, fail } from "../../support/diagnostics.ts";
import { createRandom } from "../../support/random.ts";
import { counted, table } from "../../support/text.ts";
import { decimal, idList, wholeNumber, type CommandSpec } from "../command.ts";

type Options = {
  readonly against: string | undefined;
  readonly text: string | undefined;
  readonly ids: readonly number[] | undefined;
  readonly tokens: number;
  readonly tolerance: number | undefined;
};

/** What the plans are run on: ids, a text's, or made-up ones, the same every time. */
function idsOf(plan: Plan, { text, ids, tokens }: Options, most: number): readonly number[] {
  const count = Math.min(tokens, most);
  if (ids?.length) return ids.slice(0, most);
  if (text !== undefined) {
    const tokenizer = loadTokenizer(plan.file(".")) ?? fail("run/no-tokenizer", undefined);
    return tokenizer.encode(readText(text), { bos: true }).slice(0, count);
  }
  const random = createRandom(0);
  return Array.from({ length: count }, () => random.below(plan.manifest.model.vocab));
}

const figure = (x: number): string => x.toExponential(2);
const placeOf = (it: ComparedValue): string => `${it.operator} of ${it.origin.join(", ")} (${it.value})`;

const report = (layers: readonly ComparedLayer[]): string =>
  table([
    ["layer", "carried", "cosine", "own", "tolerance", "by"],
    ...layers.map(({ layer, worst, carried, beyond }) => [
      layer,
      figure(carried.error),
      carried.cosine.toFixed(6),
      figure((beyond ?? worst).error),
      figure((beyond ?? worst).tolerance),
      `${placeOf(beyond ?? worst)}${beyond ? " !" : ""}`,
    ]),
  ]);

/** How many schedules a plan has, all of them legal: none where it is for the CPU. Throws `verify/schedule` for every fault. */
function checkedSchedules(plan: Plan): number {
  const { machine, ranks, context } = plan.manifest;
  if (machine === undefined) return 0;
  const names = new Set<string>();
  const faults = ranks.flatMap((_, rank) => {
    const { device, kernels, profile } = loadDevice(plan, rank);
    for (const name of kernels.keys()) names.add(name);
    return scheduleFaults([device], kernels, profile, context);
  });
  if (faults.length > 0)
    throw new CompileError(
      faults.map(({ kernel, fault }) =>
        diag(
          "verify/schedule",
          { kind: "file", file: plan.file(scheduleFile(kernel)) },
          fault.code,
          fault.message,
        ),
      ),
    );
  return names.size;
}

export const verify: CommandSpec<Options> = {
  name: "verify",
  summary: "check schedules, and where a plan leaves its model",
  args: [["<plan>", "a folder made by moec compile"]],
  options: {
    against: {
      flags: "--against <model>",
      help: "the model in full precision, or another plan of it (default: a device's schedules alone are checked)",
    },
    text: {
      flags: "--text <file>",
      help: "run both on the beginning of this text (default: made-up tokens)",
    },
    ids: { flags: "--ids <list>", help: "run both on these token ids, 1,2,3", parse: idList },
    tokens: { flags: "--tokens <n>", help: "how many tokens", default: 32, parse: wholeNumber(1) },
    tolerance: {
      flags: "--tolerance <share>",
      help: "the most error of an operator's output, as a share of its size (default: 0.001, in floats of 16 bits 0.02, where weights are codes of eight bits 0.05, of four 0.4); beyond it the exit code is 5",
      parse: decimal(0, 1e9),
    },
  },
  examples: [
    "moec verify build/moe-6m --against fixtures/moe-6m",
    "moec verify build/npu",
    "moec verify build/moe-6m-int4 --against fixtures/moe-6m --text fixtures/text/sample.txt --json",
  ],
  run: async ([dir = ""], options, cx) => {
    const plan = readPlan(dir);
    const { context } = plan.manifest;
    const { against } = options;
    const schedules = checkedSchedules(plan);
    if (against === undefined) {
      if (schedules === 0)
        fail("usage/missing", { kind: "flag", flag: "--against" }, "the model to compare with");
      cx.stdout.write(
        cx.json
          ? `${JSON.stringify({ schedules })}\n`
          : `${counted(schedules, "schedule is", "schedules are")} legal\n`,
      );
      return exitCodes.done;
    }
    const progress = cx.log.progress(`compiling ${against} to compare with`);
    const reference = await referencePlan(against, context);
    const tracers: Tracer[] = [];
    try {
      const [found, expected] = [plan, reference.plan].map((it) => it.manifest.model.vocab);
      if (found !== expected) fail("eval/other-vocabulary", undefined, found ?? 0, expected ?? 0);
      const own = openTracer(plan);
      tracers.push(own);
      const other = openTracer(reference.plan);
      tracers.push(other);
      const ids = idsOf(plan, options, Math.min(await own.maxTokens(), await other.maxTokens()));
      const stranger = ids.find((id) => id >= plan.manifest.model.vocab);
      if (stranger !== undefined) fail("run/id-range", undefined, stranger, plan.manifest.model.vocab);
      progress.update("comparing layer by layer");
      const layers = await compareLayers(own, other, ids, options.tolerance);
      progress.done();
      if (layers.length === 0) fail("verify/nothing-alike", undefined, dir, against);
      const first = layers.find((it) => it.beyond);
      if (cx.json) {
        const diverges = first ? { layer: first.layer, ...first.beyond } : null;
        cx.stdout.write(`${JSON.stringify({ tokens: ids.length, diverges, layers })}\n`);
        return first ? exitCodes.check : exitCodes.done;
      }
      cx.stdout.write(report(layers));
      if (first?.beyond) {
        const { error, tolerance } = first.beyond;
        fail(
          "verify/diverges",
          undefined,
          first.layer,
          placeOf(first.beyond),
          error.toPrecision(3),
          tolerance,
        );
      }
      return exitCodes.done;
    } finally {
      progress.done();
      for (const tracer of tracers) await tracer.close();
      reference.remove();
    }
  },
};
