import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { balanceChannels } from "../../../passes/quantize/balance-channels.ts";
import { pipeline, quantizing } from "../../../passes/index.ts";
import { runPass, runPasses } from "../../pass/runner.ts";
import { windowsOf } from "../../runtime/eval/perplexity.ts";
import { loadTokenizer } from "../../runtime/tokenizer.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { fail } from "../../support/diagnostics.ts";
import { bytes } from "../../support/text.ts";
import { methodOf, type RoundingName } from "../../quant/rounding/rounders.ts";
import { createProducts, productsCode } from "../../quant/products.ts";
import { quantizer } from "../../quant/quantizer.ts";
import type { Func } from "../../ir/graph.ts";
import { rowReader, type StoredTensor } from "../../tensor/recipe-rows.ts";
import { assemble } from "../../wasm/assemble.ts";
import { findFactors, type Factors } from "./balance.ts";
import { calibrate, rotationFor, storeChoice } from "./calibrate.ts";
import type { FormatChoice } from "./observe.ts";
import { chooseFormats } from "./choose-formats.ts";
import type { SegmentRun } from "./run-segment.ts";
import { savedCalibration, type SavedCalibration } from "./saved.ts";
import { measureSensitivity, sensitivityBytes, type Sensitivity } from "./sensitivity.ts";
import { openStore, type QuantReport, type Store } from "./store.ts";
import { emit, openToCompile, withCaches, type CompileOptions, type Emitted } from "../compile.ts";
import type { OpenedModel } from "../model.ts";
import { formatChoice } from "../quantize.ts";

export type Calibration = {
  readonly scheme: Scheme;
  readonly text: string;
  /** Tokens of a sequence; the text is cut into such, the tail dropped. */
  readonly window: number;
  readonly minExpertTokens: number;
  readonly rounding: RoundingName;
  /** Windows that are run back to learn how much what each matrix gives matters; 0 for none. */
  readonly gradientWindows: number;
  readonly threads: number;
  /** The folder that keeps what is done until the plan is written. */
  readonly work: string;
  /** The folder that keeps what was learned from the text for other compiles. */
  readonly saved?: string;
  /** Hears what the user should know of how it goes. */
  readonly say?: (text: string) => void;
  readonly onSegment?: (done: number, of: number) => void;
};

export type Calibrated = {
  readonly emitted: Emitted;
  readonly report: QuantReport;
  readonly store: Store;
  /** The prefill function that was quantized, before it was. */
  readonly func: Func;
};

/** Import a checkpoint, quantize it on what it computes from a text, and emit its plan. Nothing is written but the store's files. */
export async function emitCalibrated(
  path: string,
  options: CompileOptions,
  by: Calibration,
): Promise<Calibrated> {
  const model = openToCompile(path, options);
  const windows = calibrationWindows(model, by);
  const shares = options.parallel?.mesh.tp ?? 1;
  const store = openStore(by.work, fingerprint(model, by, shares));
  const [func] = runPasses(model.imported.module, pipeline.slice(0, 1), {}).funcs;
  if (!func) throw new Error("a model has a prefill function");
  const run = await calibrationRun(model, store, windows, by.threads);
  try {
    const { choose, rotation, report, factors } = await quantize(func, model, run, by, store, shares);
    const { name, activations } = by.scheme;
    const weights = storeChoice(store, { choose, rotation });
    const quantization = { name, activations, weights, ...(factors && { factors: factorsBy(factors) }) };
    const module = runPasses(
      withCaches(model.imported.module, options),
      quantizing(pipeline, quantization),
      options.passes,
    );
    const emitted = emit({ model, module }, { ...options, quantization });
    const tensors = new Map([...emitted.parts.tensors, ...store.tensors]);
    return { emitted: { ...emitted, parts: { ...emitted.parts, tensors } }, report, store, func };
  } finally {
    run.reader.close();
  }
}

/** What segments of a model run on, what `store` holds included. The reader must be closed. */
export async function calibrationRun(
  model: OpenedModel,
  store: Store,
  windows: SegmentRun["windows"],
  threads: number,
): Promise<SegmentRun> {
  const stored = (name: string) => store.tensors.get(name) ?? tensorOf(model, name);
  const products = createProducts(await productsCode(assemble));
  return { windows, reader: rowReader(stored, quantizer), threads, products };
}

const factorsBy = (factors: Factors) => (key: string) => factors.get(key);

/** Learn what matters, balance channels, choose formats, and quantize into the store. */
async function quantize(
  original: Func,
  model: OpenedModel,
  run: SegmentRun,
  by: Calibration,
  store: Store,
  shares: number,
) {
  const { scheme, minExpertTokens, onSegment } = by;
  const { activations, bits } = scheme;
  const { balance, round } = methodOf(by.rounding);
  const mayQuantize = formatChoice(scheme);
  const few = { ...run, windows: spread(run.windows, Math.max(1, by.gradientWindows)) };
  const factors = balance && (await findFactors(original, mayQuantize, minExpertTokens, balance, few));
  const func = factors ? balancedFunc(original, factors) : original;
  const isWeighed = by.gradientWindows > 0 && (round === methodOf("gptq").round || bits !== undefined);
  const saved = by.saved === undefined ? undefined : savedCalibration(by.saved, textFingerprint(model, by));
  const sensitivity = isWeighed ? await sensitivityOf(func, mayQuantize, few, saved, by) : undefined;
  const known = { func, minExpertTokens, ...(sensitivity && { sensitivity }) };
  const choose =
    bits === undefined
      ? mayQuantize
      : await chooseFormats({ ...known, choose: mayQuantize, activations, bits }, few);
  // Rotations would mix the channels that factors set apart.
  const rotation = rotationFor(factors ? "float" : activations, shares);
  const task = { ...known, choose, rotation, round, ...(onSegment && { onSegment }) };
  return { choose, rotation, report: await calibrate(task, run, store), factors };
}

/** What gradients may take in memory. */
const mostGradientBytes = 2 ** 31;

/** Take what was learned before, or learn it now and keep it; undefined where that would take too much memory. */
async function sensitivityOf(
  func: Func,
  choose: FormatChoice,
  run: SegmentRun,
  saved: SavedCalibration | undefined,
  { say, saved: dir }: Calibration,
): Promise<Sensitivity | undefined> {
  const known = saved?.load();
  if (known) {
    say?.(`calibration of the same model and text taken from ${dir}`);
    return known;
  }
  const needed = sensitivityBytes(func, choose, run.windows);
  if (needed > mostGradientBytes) {
    say?.(`gradients of this model would take ${bytes(needed)} of memory: rounded without them`);
    return undefined;
  }
  const found = await measureSensitivity(func, choose, run);
  if (!found) say?.("an operator of this model has no gradient: rounded without them");
  if (saved && found) {
    saved.save(found);
    say?.(`no calibration of this model and text in ${dir}: measured and kept there`);
  }
  return found;
}

function balancedFunc(func: Func, factors: Factors): Func {
  const [balanced] = runPass({ funcs: [func] }, balanceChannels(factorsBy(factors))).module.funcs;
  return balanced ?? func;
}

function tensorOf(model: OpenedModel, name: string): StoredTensor {
  const tensor = model.checkpoint.tensors.get(name);
  if (!tensor) throw new Error(`no tensor ${name}`);
  return tensor;
}

/** `most` of some things, evenly spread. */
function spread<T>(all: readonly T[], most: number): readonly T[] {
  const step = Math.max(1, all.length / most);
  return all.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step));
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

/** A hash of a checkpoint's files, by name, size and time, and of whatever else counts. */
function hashOf(model: OpenedModel, ...parts: readonly unknown[]): string {
  const hash = createHash("sha256");
  const files = [...new Set([...model.checkpoint.tensors.values()].map(({ region }) => region.file))].sort();
  for (const file of files) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  hash.update(JSON.stringify([model.config, ...parts]));
  return hash.digest("hex").slice(0, 16);
}

/** What tells whether work left by an interrupted run is this run's: the checkpoint's files, the scheme and the text. */
function fingerprint(model: OpenedModel, it: Calibration, shares: number): string {
  const { weights, bits, activations, tensors } = it.scheme;
  const scheme = [weights, bits, activations, tensors.map(({ pattern, format }) => [pattern.source, format])];
  return hashOf(
    model,
    scheme,
    it.rounding,
    it.window,
    it.minExpertTokens,
    it.gradientWindows,
    it.text,
    shares,
  );
}

/** What tells whether what was learned from a text holds here: the checkpoint's files, what may be quantized and the text. */
function textFingerprint(model: OpenedModel, it: Calibration): string {
  const kept = it.scheme.tensors.map(({ pattern, format }) => [pattern.source, format === "none"]);
  const { balance } = methodOf(it.rounding);
  return hashOf(model, kept, balance ? [it.rounding, it.scheme] : [], it.window, it.gradientWindows, it.text);
}

/** Where a compile to `output` keeps its quantized matrices until the plan is written. */
export const workFolder = (output: string): string => `${resolve(output)}.quant`;
