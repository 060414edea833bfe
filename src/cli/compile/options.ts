/** What `moec compile` takes. */
import { availableParallelism } from "node:os";
import { parseMesh, type Mesh } from "../../cluster/mesh.ts";
import { cacheFormats, type CacheFormat } from "../../driver/compile.ts";
import type { Share } from "../../plan/parts.ts";
import { roundingNames, type RoundingName } from "../../quant/rounding/rounders.ts";
import { schemeNames } from "../../quant/scheme.ts";
import { BadValue, byteSize, listed, namedSizes, wholeNumber, type OptionSpec } from "../command.ts";
import { deviceOptions, type DeviceOptions } from "../device-options.ts";
import { forecastOptions, type ForecastOptions } from "../forecast/options.ts";
import { parseShare } from "../share.ts";

export type Options = ForecastOptions &
  DeviceOptions & {
    readonly output: string | undefined;
    readonly target: string | undefined;
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

/** A positive number of bits. */
function bitsPerWeightGiven(text: string): number {
  const bits = Number(text);
  if (!(bits >= 1 && bits <= 16)) throw new BadValue("a number from 1 to 16");
  return bits;
}

export const compileOptions: { readonly [K in keyof Options]-?: OptionSpec<Options[K]> } = {
  output: { flags: "-o, --output <dir>", help: "the plan's folder; written whole or not at all" },
  target: {
    flags: "-t, --target <name>",
    help: "the device to compile for: one of `moec targets`, or a profile of your own (.json) (default: the devices of --cluster, else cpu)",
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
    help: "ranks on each axis, joined by x: tp tensors, ep experts, dp sequences, pp stages of layers, such as tp2xep4",
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
};
