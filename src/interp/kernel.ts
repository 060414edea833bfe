import type { OpAttrs, OpName } from "../ir/ops/index.ts";
import type { Dim } from "../ir/dim.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Recipe } from "../tensor/recipe.ts";
import { zeros, type Tensor } from "./tensor.ts";

/** What a reference kernel is given besides its operands. */
export type Call<K extends OpName> = {
  readonly attrs: OpAttrs<K>;
  /** The result shapes, named dims bound. */
  readonly shapes: readonly (readonly number[])[];
  readonly dtypes: readonly DType[];
  /** What a dim stands for in this run. */
  readonly bind: (dim: Dim) => number;
  readonly weight: (recipe: Recipe) => Tensor;
};

/** Reference semantics of one operator: one result tensor for each result. */
export type Kernel<K extends OpName> = (operands: readonly Tensor[], call: Call<K>) => readonly Tensor[];

/** An operand that the operator's definition requires. */
export function need(operands: readonly Tensor[], i: number): Tensor {
  const tensor = operands[i];
  if (!tensor) throw new Error(`operand ${i} is absent`);
  return tensor;
}

/** The shape of result `i`. */
export function shapeAt(call: { readonly shapes: readonly (readonly number[])[] }, i = 0): readonly number[] {
  const shape = call.shapes[i];
  if (!shape) throw new Error(`there is no result ${i}`);
  return shape;
}

/** Room for result `i`. */
export function result(call: Pick<Call<OpName>, "shapes" | "dtypes">, i = 0): Tensor {
  const dtype = call.dtypes[i];
  if (!dtype) throw new Error(`there is no result ${i}`);
  return zeros(dtype, shapeAt(call, i));
}
