import { packedBytes, packedWords } from "../tensor/pack.ts";
import { byteLength, dtypes, factsOf, type DType } from "../tensor/dtype.ts";
import type { Recipe } from "../tensor/recipe.ts";
import { rowCount, rowWidth } from "../tensor/recipe-rows.ts";
import type { WeightRequest } from "./weights.ts";

/** The matrices of a packed weight: the last two axes, and how many of them. */
export function matrices(recipe: Recipe): {
  readonly count: number;
  readonly rows: number;
  readonly cols: number;
} {
  const cols = rowWidth(recipe.shape);
  const rows = recipe.shape.at(-2) ?? 1;
  return { count: rowCount(recipe.shape) / rows, rows, cols };
}

/** A weight as its safetensors entry shows it: packed weights carry their blocks in the shape. */
export function storedForm(w: WeightRequest): {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
} {
  if (w.layout !== "packed") {
    const { shape } = w.recipe;
    const rows = dtypes[w.dtype].bits < 8 ? 1 : rowCount(shape);
    const bytes =
      rows * byteLength(w.dtype, rows === 1 ? rowCount(shape) * rowWidth(shape) : rowWidth(shape));
    // What safetensors has no name for is kept as the bytes it is.
    if (factsOf(w.dtype).safetensors === undefined) return { dtype: "u8", shape: [bytes], bytes };
    return { dtype: w.dtype, shape: w.recipe.shape, bytes };
  }
  const { count, rows, cols } = matrices(w.recipe);
  const unit = { f32: [], bf16: [2], f8e8m0: [4], i8: [4], i4: [4], f4e2m1: [8] }[w.dtype];
  const shape = [Math.ceil(rows / 16), packedWords(w.dtype, cols), 16, ...unit];
  return {
    // safetensors has no name for codes of four bits: two lie in a byte.
    dtype: w.dtype === "i4" ? "u8" : w.dtype,
    shape: [...w.recipe.shape.slice(0, -2), ...shape],
    bytes: count * packedBytes(w.dtype, rows, cols),
  };
}
