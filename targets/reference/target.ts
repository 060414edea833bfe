import type { Module } from "../../src/ir/graph.ts";
import type { Dim } from "../../src/ir/dim.ts";
import { storedWeights } from "../../src/plan/graph-weights.ts";
import type { WeightRequest } from "../../src/plan/weights.ts";
import type { DType } from "../../src/tensor/dtype.ts";

/** A tensor that goes into a graph or comes out of it. */
export type GraphValue = { readonly name: string; readonly dtype: DType; readonly dims: readonly Dim[] };

/** A graph for the interpreter: what it takes, what it gives, and the weights it reads. */
export type ReferenceCode = {
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  readonly weights: readonly WeightRequest[];
};

/** A module of one function, as the reference interpreter runs it. */
export function referenceTarget(module: Module): ReferenceCode {
  const [func] = module.funcs;
  if (!func) throw new Error("a graph has one function");
  return {
    inputs: func.params.map(({ name, type }) => ({ name, ...type })),
    outputs: func.results.map(({ name, value }) => ({ name, ...value.type })),
    weights: [...storedWeights(func).values()],
  };
}
