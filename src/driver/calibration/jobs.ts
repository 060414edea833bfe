import { matricesOf, roleOf } from "../../../passes/quantize-weights.ts";
import { definitions, isOp, type Func, type Value } from "../../ir/graph.ts";
import { edit } from "../../pass/edit.ts";
import { gptq } from "../../quant/gptq.ts";
import { shrunk, symmetric } from "../../quant/moments.ts";
import { outputError } from "../../quant/output-error.ts";
import { refine } from "../../quant/refine.ts";
import type { Tap } from "../../quant/taps.ts";
import { decodeToF32 } from "../../tensor/codec.ts";
import { byteLength } from "../../tensor/dtype.ts";
import { formats, type FormatName } from "../../tensor/format.ts";
import { rotateBlocks } from "../../tensor/hadamard.ts";
import { sourceNames, takesWidth, type Recipe } from "../../tensor/recipe.ts";
import { checkFinite, type RowReader } from "../../tensor/recipe-rows.ts";
import type { FormatChoice } from "./calibrate.ts";
import { together, type Seen } from "./statistics.ts";
import type { Matrix } from "./store.ts";

/** One matrix to quantize, and what it multiplies. */
export type Job = {
  readonly matrix: Recipe;
  readonly name: string;
  readonly format: FormatName;
  readonly hessian: Float64Array;
};

export const matrixName = (matrix: Recipe): string => sourceNames(matrix).join("+");

const recipeOf = (func: Func, weight: Value | undefined): Recipe | undefined => {
  const maker = weight && definitions(func).get(weight);
  return isOp(maker, "weight") ? maker.attrs.recipe : undefined;
};

/** The matrices of a tap's weight that are to be quantized. */
export function jobsOf(
  func: Func,
  tap: Tap,
  seen: Seen,
  choose: FormatChoice,
  minExpertTokens: number,
): readonly Job[] {
  const recipe = recipeOf(func, tap.weight);
  const role = roleOf(edit(func).site, tap.weight);
  if (!recipe || !role) return [];
  const layer = together(seen);
  const jobs = (of: Recipe, hessian: Float64Array) =>
    matricesOf(of).flatMap((matrix): readonly Job[] => {
      const name = matrixName(matrix);
      const format = choose(name, role);
      return format && takesWidth(format, matrix.shape.at(-1) ?? 1)
        ? [{ matrix, name, format, hessian }]
        : [];
    });
  // A stack's parts are the experts; what is no stack cannot be told apart by them.
  if (tap.kind === "dense" || recipe.kind !== "stack") return jobs(recipe, symmetric(layer));
  return recipe.parts.flatMap((of, e) => jobs(of, shrunk(seen.experts[e] ?? layer, layer, minExpertTokens)));
}

function read(matrix: Recipe, reader: RowReader): Float32Array {
  const size = matrix.shape.reduce((n, d) => n * d, 1);
  const stored = new Uint8Array(byteLength(matrix.dtype, size));
  reader.read(matrix, 0, stored);
  const w = new Float32Array(size);
  decodeToF32(matrix.dtype, stored, w);
  checkFinite(matrix, 0, w);
  return w;
}

/** Second moments of rotated rows: R H R, R symmetric. */
function rotatedMoments(hessian: Float64Array, n: number, block: number): Float64Array {
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

/** Quantize one matrix by GPTQ, refined. `block` columns are rotated together; 1 leaves them. */
export function quantizeMatrix(job: Job, block: number, reader: RowReader): Matrix {
  const { matrix, name, format: formatName } = job;
  const [rows = 1, cols = 1] = matrix.shape;
  const format = formats[formatName];
  const w = read(matrix, reader);
  rotateBlocks(w, block);
  const hessian = block === 1 ? job.hessian : rotatedMoments(job.hessian, cols, block);
  const found = refine(w, rows, cols, hessian, format, gptq(w, rows, cols, hessian, format));
  return {
    name,
    format: formatName,
    rows,
    cols,
    found,
    error: outputError(w, found, rows, cols, hessian, format),
  };
}
