import { quantizer } from "../../quant/quantizer.ts";
import { isOp, type Func, type Module, type Node } from "../../ir/graph.ts";
import { decodeToF32 } from "../../tensor/codec.ts";
import { constant, type Recipe } from "../../tensor/recipe.ts";
import {
  rowBytes,
  rowCount,
  rowReader,
  rowWidth,
  type RowReader,
  type StoredTensor,
} from "../../tensor/recipe-rows.ts";

function valuesOf(recipe: Recipe, { read }: RowReader): Float32Array {
  const [rows, width] = [rowCount(recipe.shape), rowWidth(recipe.shape)];
  const bytes = new Uint8Array(rows * rowBytes(recipe));
  read(recipe, 0, bytes);
  const values = new Float32Array(rows * width);
  decodeToF32(recipe.dtype, bytes, values);
  return values;
}

function withTurnsOf(func: Func, reader: RowReader): Func {
  const wanted = new Set(func.body.flatMap((node) => (isOp(node, "rope") ? node.operands.slice(2) : [])));
  const body = func.body.map((node): Node => {
    if (!isOp(node, "weight") || !node.results.some((it) => wanted.has(it))) return node;
    const { recipe } = node.attrs;
    return { ...node, attrs: { recipe: constant(recipe.shape, [...valuesOf(recipe, reader)]) } };
  });
  return { ...func, body };
}

/** rope of frequencies that a file holds ⟶ rope of constants: a few numbers, from which devices have their tables of sines made at compile time. */
export function withKnownTurns({ funcs }: Module, tensors: ReadonlyMap<string, StoredTensor>): Module {
  const reader = rowReader((name) => {
    const found = tensors.get(name);
    if (!found) throw new Error(`a recipe reads ${name}, which is not there`);
    return found;
  }, quantizer);
  try {
    return { funcs: funcs.map((it) => withTurnsOf(it, reader)) };
  } finally {
    reader.close();
  }
}
