import { dirname } from "node:path";
import { onnxPipeline, quantizing } from "../../../passes/index.ts";
import { asDecoder } from "../../../passes/raise/decoder.ts";
import { missed, type Missed } from "../../../passes/raise/missed.ts";
import { referenceTarget } from "../../../targets/reference/target.ts";
import { printModule } from "../../ir/printer.ts";
import type { Module } from "../../ir/graph.ts";
import { runPasses } from "../../pass/runner.ts";
import { planFormat, planVersion } from "../../plan/manifest.ts";
import type { FileMaker, PlanParts } from "../../plan/write-plan.ts";
import { CompileError, diag, fail } from "../../support/diagnostics.ts";
import { oneDevice } from "../../cluster/mesh.ts";
import type { StoredTensor } from "../../tensor/recipe-rows.ts";
import type { OnnxModel, OnnxTensor } from "../../frontend/onnx/model.ts";
import { decoderParts, phasesOf, withCaches, type CompileOptions, type DecoderParts } from "../compile.ts";
import { refuseDecoderOptions } from "./graph-options.ts";
import { withKnownTurns } from "./known-turns.ts";
import { openOnnx } from "../model.ts";

/** A lowered ONNX model and everything its plan will hold; nothing is written yet. */
export type EmittedOnnx = LoweredGraph & { readonly kind: "onnx"; readonly parts: DecoderParts };

/** The first few names of a list that may be long. */
const someOf = (names: readonly string[]): string =>
  `${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}`;

const elements = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Weights by the names that recipes call them; those of a model all lie in files. */
function stored(weights: ReadonlyMap<string, OnnxTensor>): ReadonlyMap<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { dtype, shape, data }] of weights)
    if (dtype !== "string" && data.kind === "region")
      tensors.set(name, { dtype, shape, region: data.region });
  return tensors;
}

/** An ONNX model in IR: imported and raised to structured operators. */
export type LoweredGraph = {
  readonly module: Module;
  readonly weights: ReadonlyMap<string, OnnxTensor>;
  /** What looks like a structured operator and was not raised. */
  readonly missed: readonly Missed[];
};

/**
 * Import an opened model and run the pipeline over it. Throws one report of everything that cannot be imported
 * (`onnx/unsupported`), or what is wrong with the model.
 */
export async function lowerOnnx(model: OnnxModel, options: CompileOptions): Promise<LoweredGraph> {
  const { importOnnx } = await import("../../frontend/onnx/import.ts"); // its tables are for those who need them
  const imported = importOnnx(model, { sizes: options.sizes ?? new Map() });
  if ("unsupported" in imported) {
    const where = { kind: "file", file: model.file } as const;
    throw new CompileError(
      imported.unsupported.map(({ op, why, nodes }) =>
        diag("onnx/unsupported", where, op, why, nodes.length, someOf(nodes)),
      ),
    );
  }
  const phases = options.quantization ? quantizing(onnxPipeline, options.quantization) : onnxPipeline;
  const module = runPasses(imported.module, phases, options.passes);
  return { module, weights: imported.weights, missed: module.funcs.flatMap(missed) };
}

/** Longer sequences than this an exported decoder is not asked for, as its graph does not say what it can do. */
export const mostPositions = 1 << 20;

/**
 * Emit the plan of an ONNX model that gives logits for ids as one of a checkpoint would be: tokens in, logits out, caches of its own.
 * Throws `onnx/not-decoder` where it is of another kind, and what `lowerOnnx` throws.
 */
export async function emitOnnxDecoder(path: string, options: CompileOptions): Promise<EmittedOnnx> {
  const model = await openOnnx(path);
  const { weights, ...lowered } = await lowerOnnx(model, {
    ...options,
    passes: { ...options.passes, stopAfter: "raise" },
  });
  const [func] = lowered.module.funcs;
  if (!func) throw new Error("a graph has one function");
  const decoder = asDecoder(func);
  if ("because" in decoder) return fail("onnx/not-decoder", { kind: "file", file: path }, decoder.because);
  const tensors = stored(weights);
  const known = withKnownTurns(decoder.module, tensors);
  const module = runPasses(withCaches(known, options), phasesOf(options), options.passes);
  const facts = {
    family: "onnx",
    parameters: parameterCount(model),
    vocab: decoder.vocab,
    layers: decoder.layers,
    maxPositions: mostPositions,
    eos: [],
  };
  const parts = decoderParts({ module, facts, tensors, dir: dirname(path) }, options);
  return { kind: "onnx", ...lowered, weights, module, parts };
}

const parameterCount = ({ graph }: OnnxModel): number =>
  [...graph.initializers.values()].reduce((n, t) => n + elements(t.shape), 0);

/**
 * Open an ONNX model and emit its plan. Throws what `lowerOnnx` throws, what is wrong with the file, and `onnx/graph-option` where more is asked
 * for than a graph has.
 */
export async function emitOnnx(path: string, options: CompileOptions): Promise<EmittedOnnx> {
  refuseDecoderOptions(options);
  const model = await openOnnx(path);
  const lowered = await lowerOnnx(model, options);
  const { module } = lowered;
  const { inputs, outputs, weights } = referenceTarget(module);
  const text = new TextEncoder();
  const head: PlanParts["head"] = {
    format: planFormat,
    version: planVersion,
    model: {
      family: "onnx",
      parameters: parameterCount(model),
      vocab: 0,
      layers: 0,
      maxPositions: 0,
      eos: [],
    },
    target: "reference",
    quantization: options.quantization?.name ?? "none",
    context: 0,
    mesh: oneDevice,
    ranks: [],
    channels: [],
    graph: { inputs: inputs.map(listed), outputs: outputs.map(listed) },
  };
  const files = new Map<string, FileMaker>([["module.mir", () => text.encode(printModule(module))]]);
  return { kind: "onnx", ...lowered, parts: { head, weights, tensors: stored(lowered.weights), files } };
}

const listed = <T extends { readonly dims: readonly (number | string)[] }>(value: T) => ({
  ...value,
  dims: [...value.dims],
});
