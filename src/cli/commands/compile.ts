/** `moec compile MODEL -o DIR`: a checkpoint becomes a plan. */
import { join } from "node:path";
import { emitCalibrated, type Calibrated } from "../../driver/calibration/compile-calibrated.ts";
import {
  emit,
  lowerModel,
  startCrew,
  write,
  type CompileOptions,
  type Emitted,
} from "../../driver/compile.ts";
import { emitOnnx, emitOnnxDecoder, type EmittedOnnx } from "../../driver/onnx/compile-onnx.ts";
import type { Cluster } from "../../cluster/topology.ts";
import { clusterFrom } from "../../driver/cluster.ts";
import {
  placedByForecast,
  placedByStages,
  sharesLayers,
  stationsOf,
  type Placed,
} from "../../driver/device/placed.ts";
import type { ClusterForecast } from "../../driver/forecast/forecast.ts";
import { reprice } from "../../driver/forecast/simulated.ts";
import { refuseGrowth } from "../../driver/growth.ts";
import { bytesOnDisk, isOnnx } from "../../driver/model.ts";
import type { Parallel } from "../../driver/ranks/ranks.ts";
import { schemeFrom } from "../../driver/quantize.ts";
import { profileOf } from "../../driver/target.ts";
import { fail } from "../../support/diagnostics.ts";
import type { Progress } from "../../support/log.ts";
import type { CommandSpec, Context } from "../command.ts";
import { compileOptions, type Options } from "../compile/options.ts";
import { calibrationOf, parallelOf, settingsOf } from "../compile/settings.ts";
import { deviceFrom, remembered } from "../device-options.ts";
import { emitCode } from "../compile/emit-code.ts";
import { forecastFor, parallelIn, show } from "../forecast/forecast.ts";
import { forecastReport } from "../forecast/report.ts";
import { graphSummary, summary, tell, tellGraph } from "../reports/compile.ts";
import { passReport, type PassReport } from "../reports/passes.ts";
import { quantLines, quantSummary } from "../reports/quant.ts";

/** Checkpoints of fewer bytes are compiled before a thread has started. */
const worthThreads = 8 << 20;

/** Bytes of the tensors that a model came with. */
function modelBytes(emitted: Emitted | EmittedOnnx): number {
  if (emitted.kind === "decoder")
    return [...emitted.model.checkpoint.tensors.values()].reduce((n, { region }) => n + region.bytes, 0);
  return [...emitted.weights.values()].reduce(
    (n, { data }) => n + (data.kind === "region" ? data.region.bytes : 0),
    0,
  );
}

/** A cluster whose kinds of devices share the layers of a mesh that is given: a plan that is not forecast. */
function sharedCluster({ cluster, parallel, dryRun }: Options): Cluster | undefined {
  const named = cluster !== undefined && parallel && !dryRun ? clusterFrom(cluster) : undefined;
  return named && sharesLayers(named) ? named : undefined;
}

/** The ranks of a plan: how they share the model, and the devices of a cluster that they are, where one is named. */
type Ranks = { readonly parallel?: Parallel; readonly placed?: Placed };

/** What is to be made, by the folder below the plan's own: one plan, or one each for the devices that prefill and those that decode. */
function plansOf(options: Options, forecast: ClusterForecast | undefined): ReadonlyMap<string, Ranks> {
  const shared = sharedCluster(options);
  if (shared && options.parallel)
    return new Map([["", { placed: placedByStages(shared, options.parallel) }]]);
  if (!forecast) return new Map([["", {}]]);
  const stations = [...stationsOf(forecast)].map(
    ([phase, it]) => [phase, { parallel: parallelIn(it), placed: placedByForecast(forecast, it) }] as const,
  );
  return new Map(stations.length > 1 ? stations : stations.map(([, ranks]) => ["", ranks]));
}

/** The forecast for a cluster, where one is named; a mesh that is given is not searched for. */
function forecastOf(path: string, options: Options): ClusterForecast | undefined {
  const { quant, bits } = options;
  if (sharedCluster(options)) return undefined;
  return forecastFor(path, options, schemeFrom(quant, bits), options.parallel && parallelOf(options));
}

/** A forecast whose chosen layouts are also told with kernels timed on schedules. */
function simulatedToo(forecast: ClusterForecast, options: Options, { log }: Context): ClusterForecast {
  const { tiles, keep } = remembered(options, log);
  const repriced = reprice(forecast.chosen, { tiles, trials: options.tune });
  keep();
  return { ...forecast, repriced };
}

/** What a model became, and by which calibration. */
type Result = { readonly emitted: Emitted | EmittedOnnx; readonly calibrated?: Calibrated };

/** The model as a plan that is not yet written. */
async function emitFrom(
  path: string,
  settings: CompileOptions,
  options: Options,
  cx: Context,
  progress: Progress,
): Promise<Result> {
  const by = calibrationOf(options, options.output);
  if (by && isOnnx(path)) fail("quant/not-calibrated", { kind: "flag", flag: "--calibrate" });
  if (by) {
    const calibrated = await emitCalibrated(path, settings, {
      ...by,
      say: (text) => cx.log.info(text),
      onSegment: (done, of) => progress.update(`quantized ${done} of ${of} stretches`),
    });
    return { emitted: calibrated.emitted, calibrated };
  }
  if (!isOnnx(path)) return { emitted: emit(lowerModel(path, settings), settings) };
  return { emitted: await (options.as === "decoder" ? emitOnnxDecoder : emitOnnx)(path, settings) };
}

/** Refuse quantized plans that are no smaller than their model; several ranks hold some weights each for itself. */
function refuseLarger(emitted: Emitted | EmittedOnnx): void {
  const { head, weights } = emitted.parts;
  if (head.quantization !== "none" && head.ranks.length <= 1) refuseGrowth(weights, modelBytes(emitted));
}

/** What was made, in prose. */
function tellOf(
  { emitted, calibrated }: Result,
  { runs }: PassReport,
  path: string,
  options: Options,
  cx: Context,
): void {
  if (calibrated) cx.log.info(quantLines(calibrated.report, options.minExpertTokens));
  if (emitted.kind === "decoder") tell(emitted, runs, path, cx);
  else tellGraph(emitted, runs, path, cx);
}

/** The same as JSON. */
function jsonOf({ emitted, calibrated }: Result, { runs }: PassReport, options: Options) {
  return {
    ...(emitted.kind === "decoder" ? summary(emitted, runs) : graphSummary(emitted, runs)),
    ...(calibrated && { quant: quantSummary(calibrated.report, options.minExpertTokens) }),
  };
}

/** Make a plan, say what it is, and write it unless this is a rehearsal. Gives what scripts read of it. */
async function makePlan(path: string, options: Options, { parallel, placed }: Ranks, cx: Context) {
  const output = options.dryRun ? undefined : options.output;
  const target = deviceFrom(options.target, placed, options, cx.log);
  const started = performance.now();
  const crew =
    output !== undefined && bytesOnDisk(path) > worthThreads ? startCrew(options.threads) : undefined;
  const report = passReport(options.printIrAfter, (text) => cx.log.print(text));
  const settings: CompileOptions = {
    ...settingsOf(options, parallel),
    ...(target && { device: target.device }),
    passes: { disable: options.disable, onAfter: report.onAfter },
  };
  const progress = cx.log.progress(`compiling ${path}`);
  try {
    const made = await emitFrom(path, settings, options, cx, progress);
    if (!options.allowLarger) refuseLarger(made.emitted);
    target?.keep();
    tellOf(made, report, path, options, cx);
    if (output !== undefined) {
      progress.update(`writing ${output}`);
      await write(output, made.emitted, crew, options.part);
      made.calibrated?.store.remove();
      progress.done(`wrote ${output} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
    return jsonOf(made, report, options);
  } finally {
    progress.done();
    await crew?.close();
  }
}

/** Make all plans that there are to make, and say for people or for scripts what they are. */
async function makePlans(
  path: string,
  options: Options,
  forecast: ClusterForecast | undefined,
  cx: Context,
): Promise<void> {
  const found: Record<string, Awaited<ReturnType<typeof makePlan>>> = {};
  for (const [name, ranks] of plansOf(options, forecast)) {
    const output = options.output === undefined ? undefined : join(options.output, name);
    found[name] = await makePlan(path, { ...options, output }, ranks, cx);
  }
  if (cx.json) {
    const told = { ...(found[""] ?? found), ...(forecast && { forecast: forecastReport(forecast) }) };
    cx.stdout.write(`${JSON.stringify(told, undefined, 2)}\n`);
  } else if (forecast) show(forecast, cx);
}

export const compileCommand: CommandSpec<Options> = {
  name: "compile",
  summary: "compile a checkpoint into a plan",
  args: [
    ["<model>", "a Hugging Face folder, one .safetensors file beside its config.json, or an .onnx file"],
  ],
  options: compileOptions,
  examples: [
    "moec compile fixtures/moe-6m -o build/moe-6m",
    "moec compile fixtures/moe-6m -o build/moe-6m-int4 --quant int4-g32",
    "moec compile fixtures/moe-6m -o build/moe-6m-gptq --quant int4-g32 --calibrate fixtures/text/sample.txt",
    "moec compile fixtures/moe-6m -o build/moe-6m-auto --quant auto --bits 4.5 --calibrate fixtures/text/sample.txt",
    "moec compile fixtures/moe-6m -o build/moe-6m-ep2 --parallel ep2 --redundant-experts 4",
    "moec compile model.onnx -o build/graph",
    "moec compile model.onnx --as decoder -o build/model",
    "moec compile fixtures/moe-6m --dry-run --json",
    "moec compile fixtures/moe-6m --dry-run --cluster '8x ascend-910b3' --tpot 50ms --ttft 2s",
    "moec compile fixtures/moe-6m -o build/mixed --cluster '1x ascend-910b3 + 1x biren-br100' --parallel pp2",
    "moec compile fixtures/moe-6m --quant w8a8 --target ascend-910b3 --emit mlir --emit-dir build/mlir",
    "moec compile fixtures/moe-6m --dry-run --print-ir-after fuse-gate-up --disable 'fuse-add-*'",
  ],
  run: async ([path = ""], options, cx) => {
    const { output, dryRun, emit: form } = options;
    if (form) {
      const profile = profileOf(options.target ?? "cpu");
      const { tiles, verified, keep } = remembered(options, cx.log);
      const device = { profile, tiles, trials: options.tune, verified };
      const code = await emitCode(path, settingsOf(options), { device, dir: options.emitDir }, cx);
      keep();
      return code;
    }
    if (output === undefined && !dryRun)
      fail("usage/missing", { kind: "flag", flag: "-o" }, "the folder of the plan");
    const analytic = forecastOf(path, options);
    const forecast = analytic && simulatedToo(analytic, options, cx);
    if (forecast && dryRun) show(forecast, cx);
    else await makePlans(path, options, forecast, cx);
    return 0;
  },
};
