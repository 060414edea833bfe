import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pipeline } from "../../passes/index.ts";
import { cpuTarget } from "../../targets/cpu/target.ts";
import type { Module } from "../ir/graph.ts";
import { printModule } from "../ir/printer.ts";
import { runPipeline, type PassReport, type RunnerOptions } from "../pass/runner.ts";
import type { Manifest } from "../plan/manifest.ts";
import { planFormat, planVersion } from "../plan/manifest.ts";
import { writePlan } from "../plan/write-plan.ts";
import { openModel, type OpenedModel } from "./model.ts";

export type CompileOptions = {
  readonly context?: number;
  readonly batchTokens?: number;
  readonly threads?: number;
  readonly passes?: RunnerOptions;
};

export type Compiled = {
  readonly model: OpenedModel;
  readonly module: Module;
  readonly reports: readonly PassReport[];
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

/** Import a model and run the pipeline over it. */
export function lowerModel(path: string, options: CompileOptions): Compiled {
  const model = openModel(path);
  const { module, reports } = runPipeline(model.imported.module, pipeline, options.passes ?? {});
  return { model, module, reports };
}

/** Compile a checkpoint into a plan at `dir`. Gives what was done; nothing is left there if it fails. */
export async function compile(
  path: string,
  dir: string,
  options: CompileOptions,
): Promise<Compiled & { readonly manifest: Manifest["model"]; readonly weightBytes: number }> {
  const compiled = lowerModel(path, options);
  const { config, checkpoint } = compiled.model;
  const context = Math.min(options.context ?? defaultContext, config.maxPositions);
  const target = cpuTarget(compiled.module, Math.min(options.batchTokens ?? defaultBatchTokens, context));
  const model: Manifest["model"] = {
    family: config.family,
    parameters: parameterCount(compiled.model),
    vocab: config.vocab,
    layers: config.layers,
    maxPositions: config.maxPositions,
    ...(config.bos !== undefined && { bos: config.bos }),
    eos: [...config.eos],
  };
  const text = new TextEncoder();
  const files = new Map<string, Uint8Array>([
    ["module.mir", text.encode(printModule(compiled.module))],
    ["kernels.wasm", target.kernels],
  ]);
  for (const name of companions) {
    const file = join(checkpoint.dir, name);
    if (existsSync(file)) files.set(name, readFileSync(file));
  }
  const weightBytes = await writePlan(
    dir,
    {
      head: {
        format: planFormat,
        version: planVersion,
        model,
        target: "cpu",
        quantization: "none",
        context,
        programs: target.programs.map((p) => structuredClone(p) as Manifest["programs"][number]),
        caches: target.caches.map((c) => ({ ...c })),
      },
      weights: target.weights,
      tensors: checkpoint.tensors,
      files,
    },
    options.threads ?? availableParallelism(),
  );
  return { ...compiled, manifest: model, weightBytes };
}

/** Parameters of the decoder: every tensor's elements, scales and multi-token-prediction layers left out. */
export function parameterCount({ checkpoint, imported }: OpenedModel): number {
  const aside = new Set([...imported.predictionTensors, ...imported.ignoredTensors]);
  let count = 0;
  for (const [name, { shape }] of checkpoint.tensors)
    if (!aside.has(name) && !name.endsWith("_scale_inv")) count += shape.reduce((n, d) => n * d, 1);
  return count;
}
