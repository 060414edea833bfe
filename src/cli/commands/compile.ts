/** `moec compile MODEL -o DIR`: a checkpoint becomes a plan. */
import { availableParallelism } from "node:os";
import {
  cacheFormats,
  emit,
  type CacheFormat,
  lowerModel,
  startCrew,
  write,
  type CompileOptions,
  type Emitted,
} from "../../driver/compile.ts";
import { emitCalibrated, workFolder, type Calibration } from "../../driver/calibration/compile-calibrated.ts";
import { emitOnnx, emitOnnxDecoder, type EmittedOnnx } from "../../driver/compile-onnx.ts";
import { parseExpertMap } from "../../cluster/expert-map.ts";
import { oneDevice, parseMesh, type Mesh } from "../../cluster/mesh.ts";
import type { Parallel } from "../../driver/ranks/ranks.ts";
import { planQuantization, schemeFrom } from "../../driver/quantize.ts";
import { refuseGrowth } from "../../driver/growth.ts";
import { bytesOnDisk, isOnnx } from "../../driver/model.ts";
import { profileOf } from "../../driver/target.ts";
import { roundingNames, type RoundingName } from "../../quant/rounders.ts";
import { schemeNames, type Scheme } from "../../quant/scheme.ts";
import type { Share } from "../../plan/parts.ts";
import { fail } from "../../support/diagnostics.ts";
import { isRounding, type Rounding } from "../../tensor/format.ts";
import { BadValue, byteSize, listed, namedSizes, wholeNumber, type CommandSpec } from "../command.ts";
import { graphSummary, summary, tell, tellGraph } from "../reports/compile.ts";
import { deviceFrom, deviceOptions, type DeviceOptions } from "../device-options.ts";
import { emitCode } from "../emit-code.ts";
import type { ClusterForecast } from "../../driver/forecast/forecast.ts";
import { forecastFor, meshOf, show } from "../forecast/forecast.ts";
import { forecastReport } from "../forecast/report.ts";
import { forecastOptions, type ForecastOptions } from "../forecast/options.ts";
import { quantLines, quantSummary } from "../reports/quant.ts";
import { parseShare } from "../share.ts";
import { readText } from "../read-text.ts";
import { passReport } from "../reports/passes.ts";

type Options = ForecastOptions &
  DeviceOptions & {
    readonly output: string | undefined;
    readonly target: string;
    readonly as: string;
    readonly dims: ReadonlyMap<string, number>;
    readonly quant: string;
    readonly rounding: RoundingName | undefined;
    readonly bits: number | undefined;
    readonly gradientWindows: number;
    readonly calibration: string | undefined;
    readonly calibrate: string | undefined;
    readonly minExpertTokens: number;
    readonly allowLarger: boolean;
    readonly kv: CacheFormat;
    readonly context: number | undefined;
    readonly batch: number | undefined;
    readonly threads: number;
    readonly disable: readonly string[];
    readonly printIrAfter: string | undefined;
    readonly part: Share | undefined;
    readonly dryRun: boolean;
    readonly parallel: Mesh | undefined;
    readonly redundantExperts: number | undefined;
    readonly placement: string | undefined;
    readonly emit: "mlir" | undefined;
    readonly emitDir: string | undefined;
    readonly memoryPerRank: number | undefined;
  };

/** Tokens of a sequence of the calibration text. */
const calibrationWindow = 512;

/** A positive number of bits. */
function bitsPerWeightGiven(text: string): number {
  const bits = Number(text);
  if (!(bits >= 1 && bits <= 16)) throw new BadValue("a number from 1 to 16");
  return bits;
}

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

/** How to calibrate, if that was asked for. */
function calibrationOf(options: Options, output: string | undefined): Calibration | undefined {
  const { calibrate, minExpertTokens, gradientWindows, threads } = options;
  if (calibrate === undefined) return undefined;
  const scheme = schemeFrom(options.quant, options.bits);
  if (!scheme) return fail("usage/missing", { kind: "flag", flag: "--quant" }, "the scheme to calibrate for");
  if (output === undefined)
    return fail(
      "usage/missing",
      { kind: "flag", flag: "-o" },
      "the folder of the plan, beside which calibrated weights are kept",
    );
  const text = readText(calibrate);
  const rounding = options.rounding ?? "gptq";
  const work = workFolder(output);
  const saved = options.calibration;
  return {
    scheme,
    text,
    window: calibrationWindow,
    minExpertTokens,
    rounding,
    gradientWindows,
    threads,
    work,
    ...(saved !== undefined && { saved }),
  };
}

/** How weights are rounded by what they alone tell. Throws `quant/needs-text` where that is not enough. */
function plainRounding({ rounding }: Options, scheme: Scheme): Rounding | undefined {
  const needs = (what: string) => fail("quant/needs-text", { kind: "flag", flag: "--calibrate" }, what);
  if (scheme.bits !== undefined) return needs("a scheme that chooses formats");
  return rounding === undefined || isRounding(rounding) ? rounding : needs(`--rounding ${rounding}`);
}

/** How the model is spread over ranks; by a placement alone, over those that it has. */
function parallelOf({ parallel, redundantExperts, placement }: Options): Parallel {
  if (placement === undefined)
    return { mesh: parallel ?? oneDevice, redundantExperts: redundantExperts ?? 0 };
  if (redundantExperts !== undefined)
    fail(
      "usage/value",
      { kind: "flag", flag: "--redundant-experts" },
      "--redundant-experts",
      "given beside --placement",
      "one of the two: a placement says itself which experts are held twice",
    );
  const map = parseExpertMap(readText(placement), placement);
  return { mesh: parallel ?? { ...oneDevice, ep: map.ranks }, redundantExperts: 0, placement: map };
}

/** What the passes and the target are asked for. */
function settingsOf(options: Options): CompileOptions {
  const { quant, bits, calibrate, kv, context, batch, dims, disable } = options;
  const { memoryPerRank } = options;
  const scheme = schemeFrom(quant, bits);
  const isPlain = scheme && calibrate === undefined;
  return {
    ...(isPlain && {
      quantization: planQuantization(scheme, plainRounding(options, scheme), options.parallel?.tp),
    }),
    caches: kv,
    ...(context !== undefined && { context }),
    ...(batch !== undefined && { batchTokens: batch }),
    ...(memoryPerRank !== undefined && { memoryPerRank }),
    parallel: parallelOf(options),
    sizes: dims,
    passes: { disable },
  };
}

/** The forecast for a cluster, where one is named; a mesh that is given is not searched for. */
function forecastOf(path: string, options: Options): ClusterForecast | undefined {
  const { quant, bits } = options;
  return forecastFor(path, options, schemeFrom(quant, bits), options.parallel && parallelOf(options));
}

export const compileCommand: CommandSpec<Options> = {
  name: "compile",
  summary: "compile a checkpoint into a plan",
  args: [
    ["<model>", "a Hugging Face folder, one .safetensors file beside its config.json, or an .onnx file"],
  ],
  options: {
    output: { flags: "-o, --output <dir>", help: "the plan's folder; written whole or not at all" },
    target: {
      flags: "-t, --target <name>",
      help: "the device to compile for: one of `moec targets`, or a profile of your own (.json)",
      default: "cpu",
    },
    as: {
      flags: "--as <form>",
      help: "an ONNX model as a graph (tensors in, all its outputs out) or as a decoder (tokens in, logits out)",
      default: "graph",
      choices: ["graph", "decoder"],
    },
    dims: {
      flags: "--dim <name=size>",
      help: "the size of a named dimension of an ONNX model, such as batch_size=1; repeat or separate by commas",
      default: new Map<string, number>(),
      parse: namedSizes,
    },
    quant: {
      flags: "-q, --quant <scheme>",
      help: `how weights are stored: none, auto, ${schemeNames.join(", ")}, or a recipe file (.json)`,
      default: "none",
    },
    rounding: {
      flags: "--rounding <how>",
      help: "how weights are rounded (default: gptq on a calibration text; else nearest for eight bits, clipped for four)",
      choices: roundingNames,
    },
    calibrate: {
      flags: "--calibrate <text>",
      help: "quantize on what the model computes from this text",
    },
    bits: {
      flags: "--bits <b>",
      help: "with --quant auto: bits a quantized weight may take on average, scales counted",
      parse: bitsPerWeightGiven,
    },
    gradientWindows: {
      flags: "--gradient-windows <n>",
      help: "windows of the text that are also run backward, to learn how much what each matrix gives matters; 0 for none",
      default: 64,
      parse: wholeNumber(0),
    },
    calibration: {
      flags: "--calibration <dir>",
      help: "keep what is learned from the text in this folder, and take it from there for the same model and text",
    },
    minExpertTokens: {
      flags: "--min-expert-tokens <n>",
      help: "experts that see fewer tokens of the text take what their whole layer sees",
      default: 32,
      parse: wholeNumber(0),
    },
    kv: {
      flags: "--kv <format>",
      help: "how caches hold what was seen: float32, or int8 with a scale for each row of a position",
      default: "float",
      choices: cacheFormats,
    },
    allowLarger: {
      flags: "--allow-larger",
      help: "write a quantized plan even where it is no smaller than the model",
    },
    context: {
      flags: "-c, --context <positions>",
      help: "the longest sequence the plan can hold (default: 4096, or the model's own limit)",
      parse: wholeNumber(1),
    },
    batch: {
      flags: "--prefill-tokens <n>",
      help: "how many tokens one call of prefill takes (default: 128)",
      parse: wholeNumber(1, 65536),
    },
    threads: {
      flags: "--threads <n>",
      help: "threads that write (default: one a core); the plan's bytes do not depend on them",
      default: availableParallelism(),
      parse: wholeNumber(1, 1024),
    },
    disable: {
      flags: "--disable <pattern>",
      help: "passes or rules to leave out, * for any letters; repeat or separate by commas",
      default: [],
      parse: listed,
    },
    printIrAfter: {
      flags: "--print-ir-after <pass>",
      help: "print the module after that pass, or after all, on standard error",
    },
    parallel: {
      flags: "--parallel <mesh>",
      help: "ranks on each axis, joined by x: tp tensors, ep experts, pp stages of layers, such as tp2xep4",
      parse: parseMesh,
    },
    redundantExperts: {
      flags: "--redundant-experts <n>",
      help: "the first n experts of each layer are held by one more rank",
      parse: wholeNumber(0, 65536),
    },
    placement: {
      flags: "--placement <map>",
      help: "which expert rank holds which experts of each layer, a file of moec place (default: in order)",
    },
    emit: {
      flags: "--emit <form>",
      help: "write the kernels of an Ascend chip for its own compiler into --emit-dir, and no plan",
      choices: ["mlir"],
    },
    emitDir: { flags: "--emit-dir <dir>", help: "the folder of what --emit writes" },
    memoryPerRank: {
      flags: "--memory-per-rank <size>",
      help: "what each rank has, such as 64GiB; a plan that needs more is refused, with what would make it fit",
      parse: byteSize,
    },
    part: {
      flags: "--part <i/n>",
      help: "write only the i-th of n parts, for moec link; parts can be made on many machines at once",
      parse: parseShare,
    },
    ...deviceOptions,
    ...forecastOptions,
    dryRun: { flags: "--dry-run", help: "do everything but write, and say what the plan would take" },
  },
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
    "moec compile fixtures/moe-6m --quant w8a8 --target ascend-910b3 --emit mlir --emit-dir build/mlir",
    "moec compile fixtures/moe-6m --dry-run --print-ir-after fuse-gate-up --disable 'fuse-add-*'",
  ],
  run: async ([path = ""], options, cx) => {
    const { output, emit: form } = options;
    if (output === undefined && !options.dryRun && !form)
      fail("usage/missing", { kind: "flag", flag: "-o" }, "the folder of the plan");
    if (form)
      return emitCode(
        path,
        settingsOf(options),
        { profile: profileOf(options.target), dir: options.emitDir },
        cx,
      );
    const forecast = forecastOf(path, options);
    if (forecast && options.dryRun) {
      show(forecast, cx);
      return 0;
    }
    const target = deviceFrom(options.target, options);
    const started = performance.now();
    const writes = output !== undefined && !options.dryRun;
    const crew = writes && bytesOnDisk(path) > worthThreads ? startCrew(options.threads) : undefined;
    const report = passReport(options.printIrAfter, (text) => cx.log.print(text));
    const by = calibrationOf(options, output);
    if (by && isOnnx(path)) fail("quant/not-calibrated", { kind: "flag", flag: "--calibrate" });
    const settings: CompileOptions = {
      ...settingsOf(options),
      ...(forecast && { parallel: meshOf(forecast) }),
      ...(target && { device: target.device }),
      passes: { disable: options.disable, onAfter: report.onAfter },
    };
    const progress = cx.log.progress(`compiling ${path}`);
    try {
      const calibrated =
        by &&
        (await emitCalibrated(path, settings, {
          ...by,
          say: (text) => cx.log.info(text),
          onSegment: (done, of) => progress.update(`quantized ${done} of ${of} stretches`),
        }));
      const emitted = calibrated
        ? calibrated.emitted
        : !isOnnx(path)
          ? emit(lowerModel(path, settings), settings)
          : options.as === "decoder"
            ? await emitOnnxDecoder(path, settings)
            : await emitOnnx(path, settings);
      const { head, weights } = emitted.parts;
      // Several ranks hold some weights each for itself.
      if (head.quantization !== "none" && head.ranks.length <= 1 && !options.allowLarger)
        refuseGrowth(weights, modelBytes(emitted));
      target?.keep();
      if (calibrated) cx.log.info(quantLines(calibrated.report, options.minExpertTokens));
      if (emitted.kind === "decoder") tell(emitted, report.runs, path, cx);
      else tellGraph(emitted, report.runs, path, cx);
      if (forecast && !cx.json) show(forecast, cx);
      if (writes) {
        progress.update(`writing ${output}`);
        await write(output, emitted, crew, options.part);
        calibrated?.store.remove();
        progress.done(`wrote ${output} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
      }
      if (cx.json) {
        const found =
          emitted.kind === "decoder" ? summary(emitted, report.runs) : graphSummary(emitted, report.runs);
        const told = forecast && { forecast: forecastReport(forecast) };
        const quant = calibrated && { quant: quantSummary(calibrated.report, options.minExpertTokens) };
        cx.stdout.write(`${JSON.stringify({ ...found, ...quant, ...told }, undefined, 2)}\n`);
      }
    } finally {
      progress.done();
      await crew?.close();
    }
    return 0;
  },
};
