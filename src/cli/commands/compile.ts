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
import { profileOf } from "../../driver/target.ts";
import { fail } from "../../support/diagnostics.ts";
import type { Progress } from "../../support/log.ts";
import { counted } from "../../support/text.ts";
import type { CommandSpec, Context } from "../command.ts";
import { compileOptions, type Options } from "../compile/options.ts";
import { requestOf, type Request } from "../compile/request.ts";
import { calibrationOf, settingsOf } from "../compile/settings.ts";
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
function sharedCluster({ cluster, parallel, dryRun }: Request): Cluster | undefined {
  return cluster && parallel && !dryRun && sharesLayers(cluster) ? cluster : undefined;
}

/** The ranks of a plan: how they share the model, and the devices of a cluster that they are, where one is named. */
type Ranks = { readonly parallel?: Parallel; readonly placed?: Placed };

/** What is to be made, by the folder below the plan's own: one plan, or one each for the devices that prefill and those that decode. */
function plansOf(request: Request, forecast: ClusterForecast | undefined): ReadonlyMap<string, Ranks> {
  const shared = sharedCluster(request);
  if (shared && request.parallel)
    return new Map([["", { placed: placedByStages(shared, request.parallel) }]]);
  if (!forecast) return new Map([["", {}]]);
  const stations = [...stationsOf(forecast)].map(
    ([phase, it]) => [phase, { parallel: parallelIn(it), placed: placedByForecast(forecast, it) }] as const,
  );
  return new Map(stations.length > 1 ? stations : stations.map(([, ranks]) => ["", ranks]));
}

/** A forecast whose chosen layouts are also told with kernels timed on schedules. */
function simulatedToo(forecast: ClusterForecast, request: Request, { log }: Context): ClusterForecast {
  const { tiles, keep } = remembered(request, log);
  const repriced = reprice(forecast.chosen, { tiles, trials: request.tune });
  keep();
  return { ...forecast, repriced };
}

/** What a model became, and by which calibration. */
type Result = { readonly emitted: Emitted | EmittedOnnx; readonly calibrated?: Calibrated };

/** The model as a plan that is not yet written. */
async function emitFrom(
  path: string,
  settings: CompileOptions,
  request: Request,
  cx: Context,
  progress: Progress,
): Promise<Result> {
  const by = calibrationOf(request, request.output);
  if (by && isOnnx(path)) fail("quant/not-calibrated", { kind: "flag", flag: "--calibrate" });
  if (by) {
    const calibrated = await emitCalibrated(path, settings, {
      ...by,
      say: (text) => cx.log.info(text),
      onSegment: (done, of) => progress.update(`quantized ${done} of ${counted(of, "stretch", "stretches")}`),
    });
    return { emitted: calibrated.emitted, calibrated };
  }
  if (!isOnnx(path)) return { emitted: emit(lowerModel(path, settings), settings) };
  return { emitted: await (request.as === "decoder" ? emitOnnxDecoder : emitOnnx)(path, settings) };
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
  request: Request,
  cx: Context,
): void {
  if (calibrated) cx.log.info(quantLines(calibrated.report, request.minExpertTokens));
  if (emitted.kind === "decoder") tell(emitted, runs, path, cx);
  else tellGraph(emitted, runs, path, cx);
}

/** The same as JSON. */
function jsonOf({ emitted, calibrated }: Result, { runs }: PassReport, request: Request) {
  return {
    ...(emitted.kind === "decoder" ? summary(emitted, runs) : graphSummary(emitted, runs)),
    ...(calibrated && { quant: quantSummary(calibrated.report, request.minExpertTokens) }),
  };
}

/** Make a plan, say what it is, and write it unless this is a rehearsal. Gives what scripts read of it. */
async function makePlan(path: string, request: Request, { parallel, placed }: Ranks, cx: Context) {
  const output = request.dryRun ? undefined : request.output;
  const target = deviceFrom(request.target, placed, request, cx.log);
  const started = performance.now();
  const crew =
    output !== undefined && bytesOnDisk(path) > worthThreads ? startCrew(request.threads) : undefined;
  const report = passReport(request.printIrAfter, (text) => cx.log.print(text));
  const settings: CompileOptions = {
    ...settingsOf(request, parallel),
    ...(target && { device: target.device }),
    passes: { disable: request.disable, onAfter: report.onAfter },
  };
  const progress = cx.log.progress(`compiling ${path}`);
  try {
    const made = await emitFrom(path, settings, request, cx, progress);
    if (!request.allowLarger) refuseLarger(made.emitted);
    target?.keep();
    tellOf(made, report, path, request, cx);
    if (output !== undefined) {
      progress.update(`writing ${output}`);
      await write(output, made.emitted, crew, request.part);
      made.calibrated?.store.remove();
      progress.done(`wrote ${output} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
    return jsonOf(made, report, request);
  } finally {
    progress.done();
    await crew?.close();
  }
}

/** Make all plans that there are to make, and say for people or for scripts what they are. */
async function makePlans(
  path: string,
  request: Request,
  forecast: ClusterForecast | undefined,
  cx: Context,
): Promise<void> {
  const found: Record<string, Awaited<ReturnType<typeof makePlan>>> = {};
  for (const [name, ranks] of plansOf(request, forecast)) {
    const output = request.output === undefined ? undefined : join(request.output, name);
    found[name] = await makePlan(path, { ...request, output }, ranks, cx);
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
    const request = requestOf(options);
    const { output, dryRun, emit: form } = request;
    if (form) {
      const { tiles, verified, keep } = remembered(request, cx.log);
      const device = { profile: request.target ?? profileOf("cpu"), tiles, trials: request.tune, verified };
      const code = await emitCode(path, settingsOf(request), { device, dir: request.emitDir }, cx);
      keep();
      return code;
    }
    if (output === undefined && !dryRun)
      fail("usage/missing", { kind: "flag", flag: "-o" }, "the folder of the plan");
    const analytic = sharedCluster(request) ? undefined : forecastFor(path, request);
    const forecast = analytic && simulatedToo(analytic, request, cx);
    if (forecast && dryRun) show(forecast, cx);
    else await makePlans(path, request, forecast, cx);
    return 0;
  },
};
