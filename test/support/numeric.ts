import { existsSync } from "node:fs";
import { expect } from "vitest";
import type { Func, Module } from "../../src/ir/graph.ts";
import { bindDims, type Bindings } from "../../src/ir/types.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { inputs, type Recipe } from "../../src/tensor/recipe.ts";
import { randomSource } from "./random.ts";

type Tensor = {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
};
type Interpret = (
  func: Func,
  inputs: ReadonlyMap<string, Tensor>,
  weights: (recipe: Recipe) => Tensor,
) => ReadonlyMap<string, Tensor>;

const interpreter = new URL("../../src/interp/interpret.ts", import.meta.url);
const bindings: Bindings = { P: 3, S: 2 };

const count = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);

/** Small integers where integers are asked for; else numbers in -1 … 1 that every float dtype down to bf16 holds. */
function randomTensor(seed: string, dtype: DType, dims: readonly number[]): Tensor {
  const next = randomSource(seed);
  const value = () => (dtype.startsWith("i") ? Math.floor(next() * 2) : Math.round(next() * 256 - 128) / 128);
  return { dtype, dims, data: Float32Array.from({ length: count(dims) }, value) };
}

const take = (data: ArrayLike<number>, at: (i: number) => number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => data[at(i)] ?? NaN);

/** A weight as its recipe says, from random checkpoint tensors. */
export function randomWeight(recipe: Recipe): Tensor {
  const { dtype, shape: dims } = recipe;
  const length = count(dims);
  const parts = recipe.kind === "source" ? [] : inputs(recipe).map(randomWeight);
  const of = parts[0]?.data ?? [];
  switch (recipe.kind) {
    case "source":
      return randomTensor(recipe.name, dtype, dims);
    case "cast":
    case "reshape":
      return { dtype, dims, data: of };
    case "concat":
    case "stack":
      return { dtype, dims, data: Float32Array.from(parts.flatMap((p) => Array.from(p.data))) };
    case "dequantize": {
      const [rows, columns] = recipe.block;
      const width = dims.at(-1) ?? 1;
      const scales = recipe.scale.shape.at(-1) ?? 1;
      const scale = (i: number) => {
        const at = Math.floor(i / width / rows) * scales + Math.floor((i % width) / columns);
        return parts[1]?.data[at] ?? NaN;
      };
      return { dtype, dims, data: Float32Array.from({ length }, (_, i) => (of[i] ?? NaN) * scale(i)) };
    }
    case "slice": {
      const inner = count(dims.slice(recipe.axis + 1));
      const [run, whole] = [(dims[recipe.axis] ?? 0) * inner, (recipe.of.shape[recipe.axis] ?? 0) * inner];
      const at = (i: number) => Math.floor(i / run) * whole + recipe.begin * inner + (i % run);
      return { dtype, dims, data: take(of, at, length) };
    }
    case "transpose": {
      const [rows = 1, columns = 1] = dims.slice(-2);
      const at = (i: number) => {
        const [matrix, inside] = [Math.floor(i / (rows * columns)), i % (rows * columns)];
        return matrix * rows * columns + (inside % columns) * rows + Math.floor(inside / columns);
      };
      return { dtype, dims, data: take(of, at, length) };
    }
  }
}

/** Expect both modules to compute the same from random inputs, within `tolerance` relative to the size of a result. */
export async function expectSameNumbers(before: Module, after: Module, tolerance: number): Promise<void> {
  if (!existsSync(interpreter)) return; // until the interpreter stands beside the passes
  const { interpret } = (await import(interpreter.href)) as { interpret: Interpret }; // as that file declares it
  before.funcs.forEach((func, i) => {
    const given = new Map(
      func.params.map((p) => [p.name, randomTensor(p.name, p.type.dtype, bindDims(p.type.dims, bindings))]),
    );
    const expected = interpret(func, given, randomWeight);
    const found = interpret(after.funcs[i] ?? func, given, randomWeight);
    for (const [name, want] of expected) {
      const got = found.get(name);
      expect(got?.dims, name).toEqual(want.dims);
      const size = Math.max(0, ...Array.from(want.data, Math.abs).filter(Number.isFinite));
      Array.from(want.data).forEach((x, at) => {
        const y = got?.data[at] ?? NaN;
        const near = x === y || Math.abs(x - y) <= tolerance * size || (Number.isNaN(x) && Number.isNaN(y));
        expect(near, `@${func.name} ${name}[${at}]: ${y} instead of ${x}`).toBe(true);
      });
    }
  });
}
