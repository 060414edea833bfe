import { roleOf } from "../../../passes/quantize/weights.ts";
import { matricesOf } from "../../tensor/matrices.ts";
import { isOp, type Func } from "../../ir/graph.ts";
import { edit } from "../../pass/edit.ts";
import { shrunk, sumOf, type Moments } from "../../quant/moments.ts";
import { outputError } from "../../quant/output-error.ts";
import type { Rounder } from "../../quant/rounding/rounders.ts";
import type { Tap } from "../../quant/segments/taps.ts";
import { decodeToF32 } from "../../tensor/codec.ts";
import { byteLength } from "../../tensor/dtype.ts";
import { formats, type FormatName } from "../../tensor/format.ts";
import { rotateBlocks } from "../../tensor/hadamard.ts";
import { takesWidth, type Recipe } from "../../tensor/recipe.ts";
import { checkFinite, type RowReader } from "../../tensor/recipe-rows.ts";
import type { CalibrationTask } from "./calibrate.ts";
import { matrixName } from "./observe.ts";
import type { Sensitivity } from "./sensitivity.ts";
import { together, type Seen } from "./statistics.ts";
import type { Matrix } from "./store.ts";

/** One matrix to quantize, and what it multiplies. */
export type Job = {
  readonly matrix: Recipe;
  readonly name: string;
  readonly format: FormatName;
  /** Second moments of what it multiplies, a row's on average. */
  readonly inputs: Float64Array;
  /** Second moments of the gradients of what it gives, a row's on average, where they are known. */
  readonly outputs?: Float64Array;
  /** Rows that meet it, at least half of those that its like meet on average: another text may use other experts. */
  readonly tokens: number;
};

/** The matrices of a tap's weight that are to be quantized. */
export function jobsOf(
  func: Func,
  tap: Tap,
  seen: Seen | undefined,
  {
    choose,
    minExpertTokens,
    sensitivity,
  }: Pick<CalibrationTask, "choose" | "minExpertTokens" | "sensitivity">,
): readonly Job[] {
  const { site } = edit(func);
  const maker = site.definition(tap.weight);
  const role = roleOf(site, tap.weight);
  if (!isOp(maker, "weight") || !role || !seen) return [];
  const { recipe } = maker.attrs;
  const layer = together(seen);
  const parts = recipe.kind === "stack" ? recipe.parts : [recipe];
  // Rows were weighed by their experts' shares: on average they count as one.
  const perWeight = layer.weight > 0 ? layer.tokens / layer.weight : 1;
  const moments = (own: Moments, least: number) => shrunk(own, layer, least).map((x) => x * perWeight);
  const jobs = (part: Recipe, inputs: Float64Array, tokens: number) =>
    matricesOf(part).flatMap((matrix, m): readonly Job[] => {
      const name = matrixName(matrix);
      const format = choose(name, role);
      if (!format || !takesWidth(format, matrix.shape.at(-1) ?? 1)) return [];
      const outputs = sensitivity && gradientsOf(sensitivity, parts, m, name);
      return [{ matrix, name, format, inputs, tokens, ...(outputs && { outputs }) }];
    });
  // A stack's parts are the experts; what is no stack cannot be told apart by them.
  if (tap.kind === "dense" || recipe.kind !== "stack") return jobs(recipe, moments(layer, 0), layer.tokens);
  return parts.flatMap((part, e) => {
    const own = seen.experts[e] ?? layer;
    return jobs(part, moments(own, minExpertTokens), Math.max(own.tokens, layer.tokens / parts.length / 2));
  });
}

/** The share of what two outputs have in common that is believed: estimates from few samples see more than there is. */
const believed = 0.8;

/** The moments of the gradients of matrix `m` of a part, shrunk towards those of its like in all parts. */
function gradientsOf(
  sensitivity: Sensitivity,
  parts: readonly Recipe[],
  m: number,
  name: string,
): Float64Array | undefined {
  const own = sensitivity.get(name);
  if (!own) return undefined;
  const alike = parts.flatMap((part): readonly Moments[] => {
    const matrix = matricesOf(part)[m];
    const moments = matrix && sensitivity.get(matrixName(matrix));
    return moments ? [moments] : [];
  });
  return shrunk(own, sumOf(alike), 1).map((x, i) => (i % (own.width + 1) === 0 ? x : believed * x));
}

/** The elements of a recipe as float32. */
export function readFloats(recipe: Recipe, reader: RowReader): Float32Array {
  const size = recipe.shape.reduce((n, d) => n * d, 1);
  const stored = new Uint8Array(byteLength(recipe.dtype, size));
  reader.read(recipe, 0, stored);
  const w = new Float32Array(size);
  decodeToF32(recipe.dtype, stored, w);
  checkFinite(recipe, 0, w);
  return w;
}

/** Second moments of rotated rows: R H R, R symmetric. */
function rotatedMoments(hessian: Float64Array, n: number, block: number): Float64Array {
  if (block === 1) return hessian;
  const half = rotateEach(hessian, block);
  const turned = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) turned[j * n + i] = half[i * n + j] ?? 0;
  return rotateEach(turned, block);
}

function rotateEach(a: Float64Array, block: number): Float64Array {
  const out = Float64Array.from(a);
  rotateBlocks(out, block);
  return out;
}

/** Quantize one matrix. `block` columns are rotated together; 1 leaves them. */
export function quantizeMatrix(job: Job, block: number, reader: RowReader, round: Rounder): Matrix {
  const { matrix, name, format: formatName } = job;
  const [rows = 1, cols = 1] = matrix.shape;
  const format = formats[formatName];
  const w = readFloats(matrix, reader);
  rotateBlocks(w, block);
  const inputs = rotatedMoments(job.inputs, cols, block);
  const found = round({ w, rows, cols, inputs, ...(job.outputs && { outputs: job.outputs }) }, format);
  return {
    name,
    format: formatName,
    rows,
    cols,
    found,
    error: outputError(w, found, rows, cols, inputs, format),
  };
}
