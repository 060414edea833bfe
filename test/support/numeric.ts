import { expect } from "vitest";
import { interpret } from "../../src/interp/interpret.ts";
import { quantizer } from "../../src/quant/quantizer.ts";
import { evaluateRecipe } from "../../src/interp/kernels/recipe.ts";
import { sizeOfShape, type Tensor } from "../../src/interp/tensor.ts";
import type { Func, Module } from "../../src/ir/graph.ts";
import { bindDims, type Bindings } from "../../src/ir/dim.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { inputs, type Recipe } from "../../src/tensor/recipe.ts";
import { randomSource } from "./random.ts";

export const bindings: Bindings = { P: 3, S: 2 };

/** Small integers where integers are asked for; else numbers in -1 … 1 that every float dtype down to bf16 holds. */
function randomTensor(seed: string, dtype: DType, shape: readonly number[]): Tensor {
  const next = randomSource(seed);
  const length = sizeOfShape(shape);
  const data =
    dtype.startsWith("i") || dtype === "bool"
      ? Int32Array.from({ length }, () => Math.floor(next() * 2))
      : Float32Array.from({ length }, () => Math.round(next() * 256 - 128) / 128);
  return { dtype, shape, data };
}

/** The checkpoint tensors a recipe reads, by name, made up. */
const madeUp = (recipe: Recipe): readonly (readonly [string, Tensor])[] =>
  recipe.kind === "source"
    ? [[recipe.name, randomTensor(recipe.name, recipe.dtype, recipe.shape)]]
    : inputs(recipe).flatMap(madeUp);

/** A weight as its recipe says, from random checkpoint tensors: the same name gives the same numbers. */
export function randomWeight(recipe: Recipe): Tensor {
  const stored = new Map(madeUp(recipe));
  return evaluateRecipe(recipe, (name) => stored.get(name) ?? randomTensor(name, "f32", []), quantizer);
}

export const randomInputs = (func: Func): ReadonlyMap<string, Tensor> =>
  new Map(
    func.params.map((p) => [p.name, randomTensor(p.name, p.type.dtype, bindDims(p.type.dims, bindings))]),
  );

/** Expect both modules to compute the same from random inputs, within `tolerance` relative to the size of a result. */
export function expectSameNumbers(before: Module, after: Module, tolerance: number): void {
  before.funcs.forEach((func, i) => {
    const given = randomInputs(func);
    const expected = interpret(func, given, randomWeight);
    const found = interpret(after.funcs[i] ?? func, given, randomWeight);
    for (const [name, want] of expected) {
      const got = found.get(name);
      expect(got?.shape, name).toEqual(want.shape);
      const size = Math.max(0, ...Array.from(want.data, Math.abs).filter(Number.isFinite));
      want.data.forEach((x, at) => {
        const y = got?.data[at] ?? NaN;
        const near = Object.is(x, y) || x === y || Math.abs(x - y) <= tolerance * size;
        expect(near, `@${func.name} ${name}[${at}]: ${y} instead of ${x}`).toBe(true);
      });
    }
  });
}
