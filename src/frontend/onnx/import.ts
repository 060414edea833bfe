import { buildFunc } from "../../ir/builder.ts";
import type { Dim } from "../../ir/dim.ts";
import type { Module } from "../../ir/graph.ts";
import { isValue, type Item } from "./lowering/context.ts";
import type { OnnxModel, OnnxTensor, OnnxValue } from "./model.ts";
import { CompileError } from "../../support/diagnostics.ts";
import { elementsOf } from "./reading/tensor.ts";
import { addNode, addTensors } from "./lowering/nodes.ts";
import { addConstant, lookUp, note, type Scope, type Unsupported, type Workshop } from "./lowering/scope.ts";

export type { Unsupported } from "./lowering/scope.ts";

/** A model in IR, with the tensors its weights are made of under the names its recipes call them. */
export type ImportedOnnx =
  | { readonly module: Module; readonly weights: ReadonlyMap<string, OnnxTensor> }
  | { readonly unsupported: readonly Unsupported[] };

/** An input that is given before the model runs: a tensor, a sequence of them, or an optional that is not there. */
export type Fixed = OnnxTensor | readonly OnnxTensor[] | undefined;

/** A name of the graph as a name in IR text. */
const spelled = (name: string): string => name.replace(/\W/g, "_").replace(/^(?=\d)/, "_");

/** Names that are a dim of an output: nobody runs a model for an empty answer. */
const shownDims = ({ graph }: OnnxModel): ReadonlySet<string> =>
  new Set(
    graph.outputs.flatMap(({ type }) =>
      type?.kind === "tensor" ? (type.dims ?? []).filter((d) => typeof d === "string").map(spelled) : [],
    ),
  );

function addInput(scope: Scope, { name, type }: OnnxValue, sizes: ReadonlyMap<string, number>): void {
  const { workshop } = scope;
  if (type?.kind !== "tensor" || type.dtype === "string" || !type.dims)
    return note(workshop, "input", "it is not a tensor of numbers with a known rank", name);
  const dims = type.dims.map((d, i): Dim =>
    typeof d === "string" ? (sizes.get(d) ?? spelled(d)) : (d ?? spelled(`${name}_${i}`)),
  );
  scope.items.set(name, workshop.builder.param(name, { dtype: type.dtype, dims }));
}

const addFixed = (w: Workshop, name: string, { dtype, shape, ...rest }: OnnxTensor): Item | undefined =>
  dtype === "string" ? undefined : addConstant(w, dtype, shape, elementsOf({ dtype, shape, ...rest }), name);

function fixedItem(w: Workshop, name: string, given: Fixed): Item | undefined {
  if (given === undefined) return { kind: "nothing" };
  if (!("length" in given)) return addFixed(w, name, given);
  const items = given.map((tensor, i) => addFixed(w, `${name}.${i}`, tensor));
  return items.every((item) => item !== undefined) ? { kind: "sequence", items } : undefined;
}

/** Outputs that are sequences are results numbered from 0: `name.0`. */
function addResult(w: Workshop, name: string, item: Item): void {
  if (isValue(item)) w.builder.result(name, item);
  else if (item.kind === "sequence") item.items.forEach((it, i) => addResult(w, `${name}.${i}`, it));
}

/** What is known before a model runs that its file leaves open. */
export type Given = {
  /** Inputs that are constants from now on: the way to know shapes that a model takes as data. */
  readonly fixed?: ReadonlyMap<string, Fixed>;
  /** Sizes of named dims. */
  readonly sizes?: ReadonlyMap<string, number>;
};

/**
 * A model as one function `main`, or everything that keeps it from being one. Throws what is wrong with the model itself, all at
 * once.
 */
export function importOnnx(
  model: OnnxModel,
  { fixed = new Map(), sizes = new Map() }: Given = {},
): ImportedOnnx {
  const { graph, opsets } = model;
  const workshop: Workshop = {
    model,
    builder: buildFunc("main"),
    known: new Map(),
    weights: new Map(),
    positive: shownDims(model),
    missing: new Map(),
    faults: [],
    tensors: new Map(),
    freshDims: 0,
    made: 0,
  };
  const scope: Scope = { workshop, items: new Map(), opsets, parent: undefined };
  for (const input of graph.inputs)
    if (!fixed.has(input.name) && !graph.initializers.has(input.name)) addInput(scope, input, sizes);
  addTensors(scope, graph);
  for (const [name, given] of fixed) {
    const item = fixedItem(workshop, name, given);
    if (item) scope.items.set(name, item);
    else note(workshop, "input", "it holds texts", name);
  }
  for (const node of graph.nodes) addNode(scope, node);
  for (const { name } of graph.outputs) {
    const item = lookUp(scope, name);
    if (item) addResult(workshop, name, item);
  }
  if (workshop.faults.length > 0) throw new CompileError(workshop.faults);
  if (workshop.missing.size > 0) return { unsupported: [...workshop.missing.values()] };
  return { module: { funcs: [workshop.builder.finish()] }, weights: workshop.weights };
}
