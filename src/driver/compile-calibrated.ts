import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { pipeline, quantizing } from "../../passes/index.ts";
import { runPasses } from "../pass/runner.ts";
import { windowsOf } from "../runtime/perplexity.ts";
import { loadTokenizer } from "../runtime/tokenizer.ts";
import type { Scheme } from "../quant/scheme.ts";
import { fail } from "../support/diagnostics.ts";
import { calibrate, storeChoice } from "./calibration/calibrate.ts";
import { openStore, type QuantReport, type Store } from "./calibration/store.ts";
import { emit, type CompileOptions, type Emitted } from "./compile.ts";
import { openModel, type OpenedModel } from "./model.ts";
import { formatChoice } from "./quantize.ts";

export type Calibration = {
  readonly scheme: Scheme;
  readonly text: string;
  /** Tokens of a sequence; the text is cut into such, the tail dropped. */
  readonly window: number;
  readonly minExpertTokens: number;
  readonly threads: number;
  /** The folder that keeps what is done until the plan is written. */
  readonly work: string;
  readonly onSegment?: (done: number, of: number) => void;
};

export type Calibrated = { readonly emitted: Emitted; readonly report: QuantReport; readonly store: Store };

/** Import a checkpoint, quantize it on what it computes from a text, and emit its plan. Nothing is written but the store's files. */
export async function emitCalibrated(
  path: string,
  options: CompileOptions,
  by: Calibration,
): Promise<Calibrated> {
  const model = openModel(path);
  const windows = calibrationWindows(model, by);
  const choose = formatChoice(by.scheme);
  const store = openStore(by.work, fingerprint(model, by));
  const [imported] = runPasses(model.imported.module, pipeline.slice(0, 1), {}).funcs;
  if (!imported) throw new Error("a model has a prefill function");
  const report = await calibrate(
    {
      func: imported,
      tensors: model.checkpoint.tensors,
      choose,
      activations: by.scheme.activations,
      windows,
      ...by,
    },
    store,
  );
  const quantization = {
    name: by.scheme.name,
    activations: by.scheme.activations,
    weights: storeChoice(store, { choose, activations: by.scheme.activations }),
  };
  const module = runPasses(model.imported.module, quantizing(pipeline, quantization), options.passes);
  const emitted = emit({ model, module }, { ...options, quantization });
  const tensors = new Map([...emitted.parts.tensors, ...store.tensors]);
  return { emitted: { ...emitted, parts: { ...emitted.parts, tensors } }, report, store };
}

function calibrationWindows(
  model: OpenedModel,
  { text, window }: Calibration,
): readonly (readonly number[])[] {
  const tokenizer = loadTokenizer(model.checkpoint.dir) ?? fail("run/no-tokenizer", undefined);
  const ids = tokenizer.encode(text, { bos: true });
  const windows = windowsOf(ids, Math.min(window, ids.length));
  return windows.length > 0 ? windows : fail("quant/no-text", { kind: "flag", flag: "--calibrate" });
}

/** What tells whether work left by an interrupted run is this run's: the checkpoint's files, the scheme and the text. */
function fingerprint(model: OpenedModel, { scheme, text, window, minExpertTokens }: Calibration): string {
  const hash = createHash("sha256");
  const files = [...new Set([...model.checkpoint.tensors.values()].map(({ region }) => region.file))].sort();
  for (const file of files) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  const tensors = scheme.tensors.map(({ pattern, format }) => `${pattern.source} ${format}`);
  hash.update(JSON.stringify([scheme.weights, tensors, window, minExpertTokens, model.config]));
  hash.update(text);
  return hash.digest("hex").slice(0, 16);
}

/** Where a compile to `output` keeps its quantized matrices until the plan is written. */
export const workFolder = (output: string): string => `${resolve(output)}.quant`;
