import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline, quantizing } from "../../passes/index.ts";
import { quantizeCaches } from "../../passes/quantize/caches.ts";
import type { Module } from "../ir/graph.ts";
import type { StoredTensor } from "../tensor/recipe-rows.ts";
import { printModule } from "../ir/printer.ts";
import type { Phase } from "../pass/pass.ts";
import { contextOf } from "./context.ts";
import type { PlannedQuantization } from "./quantize.ts";
import { alone, type Parallel } from "./ranks/ranks.ts";
import { cpuParts, type PlanSizes, type TargetParts } from "./cpu-parts.ts";
import { deviceParts, type Device } from "./device/parts.ts";
import { runPasses, type RunOptions } from "../pass/runner.ts";
import type { Manifest } from "../plan/manifest.ts";
import { planFormat, planVersion } from "../plan/manifest.ts";
import { packHere, startPackThreads } from "../plan/packing/pack-team.ts";
import { writePart, type Share } from "../plan/parts.ts";
import { writePlan, type WriteMeans, type FileMaker, type PlanParts } from "../plan/write-plan.ts";
import { fail } from "../support/diagnostics.ts";
import { assemble } from "../wasm/assemble.ts";
import { startAssembler } from "../wasm/assembler.ts";
import { openModel, type OpenedModel } from "./model.ts";

export const cacheFormats = ["float", "int8"] as const;
export type CacheFormat = (typeof cacheFormats)[number];

export type CompileOptions = {
  readonly context?: number;
  readonly batchTokens?: number;
  /** Sizes of the named dims of an ONNX model. */
  readonly sizes?: ReadonlyMap<string, number>;
  readonly passes?: RunOptions;
  readonly quantization?: PlannedQuantization;
  readonly parallel?: Parallel;
  /** How caches hold what was seen: float32, or int8 with a scale for each row of a position. */
  readonly caches?: CacheFormat;
  /** The device to compile for; absent, the CPU. */
  readonly device?: Device;
  /** Bytes of each rank's memory; a plan that needs more is refused. */
  readonly memoryPerRank?: number;
};

export type Compiled = {
  readonly model: OpenedModel;
  readonly module: Module;
};

/** The files of a checkpoint that a plan carries along, where they are there. */
const companions = [
  "tokenizer.json",
  "tokenizer_config.json",
  "chat_template.jinja",
  "generation_config.json",
];

const defaultContext = 4096;
const defaultBatchTokens = 128;

/** Tokens of one call of prefill. */
export const tokensOf = ({ batchTokens }: CompileOptions): number => batchTokens ?? defaultBatchTokens;

/** The phases that a decoder goes through. */
export const phasesOf = ({ quantization }: CompileOptions): readonly Phase[] =>
  quantization ? quantizing(pipeline, quantization) : pipeline;

/** A decoder whose caches are of the format asked for. Throws `usage/value` where tensor ranks would part the rows of a cache. */
export function withCaches(module: Module, { caches, parallel }: CompileOptions): Module {
  if (caches !== "int8") return module;
  if ((parallel?.mesh.tp ?? 1) > 1)
    fail(
      "usage/value",
      { kind: "flag", flag: "--kv" },
      "--kv",
      "int8 beside tensor ranks",
      "float where --parallel has tp",
    );
  return quantizeCaches(module);
}

/** Open a checkpoint that is to be compiled. Throws what `openModel` does, and at once what its plan would be refused for. */
export function openToCompile(path: string, options: CompileOptions): OpenedModel {
  const model = openModel(path);
  planSizes(options, model.config.maxPositions);
  return model;
}

/** Open a model and run the pipeline over it. */
export const lowerModel = (path: string, options: CompileOptions): Compiled =>
  lowerOpened(openToCompile(path, options), options);

/** Run the pipeline over a model that is open. */
export function lowerOpened(model: OpenedModel, options: CompileOptions): Compiled {
  const module = withCaches(model.imported.module, options);
  return { model, module: runPasses(module, phasesOf(options), options.passes) };
}

/** A lowered model and everything its plan will hold; nothing is written yet and no weight has been read. */
export type Emitted = Compiled & { readonly kind: "decoder"; readonly parts: DecoderParts };

/** What a plan of a decoder is written from, and what its kernels take where it is for a device. */
export type DecoderParts = PlanParts & Pick<TargetParts, "phaseTimes">;

/** A decoder in IR and what its plan says of it. */
export type DecoderModel = {
  readonly module: Module;
  readonly facts: Manifest["model"];
  /** The tensors that the recipes read, by name. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The folder with the tokenizer's files. */
  readonly dir: string;
};

/** Sizes of a plan for a model that knows so many positions. Throws `usage/value` where a longer context is asked for. */
export function planSizes(options: CompileOptions, maxPositions: number): PlanSizes {
  const context = contextOf({ asked: options.context, usual: defaultContext, most: maxPositions });
  const batchTokens = Math.min(tokensOf(options), context);
  return { context, batchTokens, memoryPerRank: options.memoryPerRank ?? Infinity };
}

/** What the plan of a decoder holds: its programs for the target, its weights, and the files it came with. */
export function decoderParts(
  { module, facts, tensors, dir }: DecoderModel,
  options: CompileOptions,
): DecoderParts {
  const sizes = planSizes(options, facts.maxPositions);
  const parallel = options.parallel ?? alone;
  const target = options.device
    ? deviceParts(module, parallel, options.device, options.quantization !== undefined, sizes)
    : cpuParts(module, parallel, sizes);
  const text = new TextEncoder();
  const files = new Map<string, FileMaker>([
    ["module.mir", () => text.encode(printModule(module))],
    ...target.files,
  ]);
  for (const name of companions) {
    const file = join(dir, name);
    if (existsSync(file)) files.set(name, () => readFileSync(file));
  }
  const head: PlanParts["head"] = {
    format: planFormat,
    version: planVersion,
    model: facts,
    quantization: options.quantization?.name ?? "none",
    context: sizes.context,
    ...target.head,
  };
  const { weights, phaseTimes } = target;
  return { head, weights, tensors, files, ...(phaseTimes && { phaseTimes }) };
}

/** Emit a lowered model's plan for the CPU. */
export function emit(compiled: Compiled, options: CompileOptions): Emitted {
  const { tensors, dir } = compiled.model.checkpoint;
  const model = { module: compiled.module, facts: describe(compiled.model), tensors, dir };
  return { kind: "decoder", ...compiled, parts: decoderParts(model, options) };
}

/** Write an emitted plan at `dir`, or a share of it. Gives the bytes of its weights; nothing is left there if it fails. */
export const write = (
  dir: string,
  { parts }: Pick<Emitted, "parts">,
  means: WriteMeans = { assemble, pack: packHere },
  share?: Share,
) => (share ? writePart(dir, parts, means, share) : writePlan(dir, parts, means));

/** Threads to write with; they must be closed. */
export type Crew = WriteMeans & { readonly close: () => Promise<unknown> };

/** Start threads that load while the model is read and lowered: one assembles, the others pack. */
export function startCrew(threads: number): Crew {
  const assembler = startAssembler();
  const packers = startPackThreads(threads);
  return {
    assemble: assembler.assemble,
    pack: packers.pack,
    close: () => Promise.all([assembler.close(), packers.close()]),
  };
}

/** What a plan says of its model. */
export function describe(model: OpenedModel): Manifest["model"] {
  const { config } = model;
  return {
    family: config.family,
    parameters: parameterCount(model),
    vocab: config.vocab,
    layers: config.layers,
    maxPositions: config.maxPositions,
    ...(config.bos !== undefined && { bos: config.bos }),
    eos: [...config.eos],
  };
}

/** Compile a checkpoint into a plan at `dir`, on this thread alone: lower, emit, write. */
export async function compile(path: string, dir: string, options: CompileOptions): Promise<Emitted> {
  const emitted = emit(lowerModel(path, options), options);
  await write(dir, emitted);
  return emitted;
}

/** Parameters of the decoder: every tensor's elements, scales and multi-token-prediction layers left out. */
export function parameterCount({ checkpoint, imported }: OpenedModel): number {
  const aside = new Set([...imported.predictionTensors, ...imported.ignoredTensors]);
  let count = 0;
  for (const [name, { shape }] of checkpoint.tensors)
    if (!aside.has(name) && !name.endsWith("_scale_inv")) count += shape.reduce((n, d) => n * d, 1);
  return count;
}
