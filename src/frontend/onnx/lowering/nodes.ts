import type { Dim } from "../../../ir/dim.ts";
import type { Value } from "../../../ir/graph.ts";
import { byteLength } from "../../../tensor/dtype.ts";
import { source } from "../../../tensor/recipe.ts";
import { CompileError, diag, type Diagnostic } from "../../../support/diagnostics.ts";
import { isValue, UnsupportedForm, type Item, type LoweringContext } from "./context.ts";
import {
  functionKey,
  type OnnxAttribute,
  type OnnxFunction,
  type OnnxGraph,
  type OnnxNode,
} from "../model.ts";
import { loweringOf } from "../ops/index.ts";
import { elementsOf } from "../reading/tensor.ts";
import { addConstant, addOp, addTensor, lookUp, note, type Scope } from "./scope.ts";

export const longName = ({ domain, op }: OnnxNode): string => (domain === "" ? op : `${domain}::${op}`);

/** Constant says its value in one of several attributes. */
function constantNode({ workshop: w }: Scope, node: OnnxNode): Value | undefined {
  const [name = node.name] = node.outputs;
  const [given] = node.attributes.values();
  switch (given?.kind) {
    case "tensor":
      return addTensor(w, name, given.tensor);
    case "float":
      return addConstant(w, "f32", [], [given.value], name);
    case "int":
      return addConstant(w, "i64", [], [given.value], name);
    case "floats":
      return addConstant(w, "f32", [given.values.length], given.values, name);
    case "ints":
      return addConstant(w, "i64", [given.values.length], given.values, name);
    default:
      return undefined;
  }
}

const product = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Of tensors up to this many elements the values are looked at. */
const mostChecked = 1 << 22;

const numbersOf = (dims: readonly Dim[] | undefined): readonly number[] | undefined =>
  dims?.every((d) => typeof d === "number") ? dims : undefined;

function contextOf(scope: Scope, node: OnnxNode): LoweringContext {
  const { workshop: w } = scope;
  const origin = [node.name];
  const item = (i: number): Item | undefined => lookUp(scope, node.inputs[i] ?? "");
  const optional = (i: number): Value | undefined => {
    const found = item(i);
    return isValue(found) ? found : undefined;
  };
  const multi: LoweringContext["multi"] = (op, operands, attrs) => addOp(w, op, operands, attrs, origin);
  const knownDims: LoweringContext["knownDims"] = (value) => value && w.known.get(value);
  return {
    node,
    opset: scope.opsets.get(node.domain) ?? 0,
    multi,
    op: (op, operands, attrs) => {
      const [first] = multi(op, operands, attrs);
      if (!first) throw new Error(`${op} has no result`);
      return first;
    },
    item,
    optional,
    input: (i) => {
      const found = item(i);
      if (isValue(found)) return found;
      throw new UnsupportedForm(found ? `input ${i} is no tensor` : `input ${i} is left out`);
    },
    knownDims,
    known: (value) => numbersOf(knownDims(value)),
    stored: (value) => {
      const tensor = value && w.tensors.get(value);
      if (!tensor) return value && numbersOf(w.known.get(value));
      return tensor.shape.reduce((n, d) => n * d, 1) <= mostChecked ? elementsOf(tensor) : undefined;
    },
    storedAs: (value, dtype, shape) => {
      const tensor = value && w.tensors.get(value);
      if (
        !tensor ||
        tensor.data.kind !== "region" ||
        tensor.data.region.bytes !== byteLength(dtype, product(shape))
      )
        return undefined;
      const name = `${tensor.name}:${dtype}[${shape.join()}]`;
      w.weights.set(name, { ...tensor, name, dtype, shape });
      return source(name, dtype, shape);
    },
    body: (graph, inputs) => addGraph(scope, graph, inputs),
    positive: w.positive,
    freshDim: () => `${node.op}_${w.freshDims++}`,
  };
}

/** Lower the body of a graph attribute; names of the graphs around it are seen from inside. */
function addGraph(outer: Scope, graph: OnnxGraph, inputs: readonly Item[]): readonly Item[] {
  const scope: Scope = { ...outer, items: new Map(), parent: outer };
  graph.inputs.forEach(({ name }, i) => {
    const item = inputs[i];
    if (item) scope.items.set(name, item);
  });
  addTensors(scope, graph);
  for (const node of graph.nodes) addNode(scope, node);
  return graph.outputs.map(({ name }) => {
    const item = lookUp(scope, name);
    if (!item) throw new UnsupportedForm("its body has unsupported operators");
    return item;
  });
}

export function addTensors(
  { workshop, items }: Scope,
  { initializers }: Pick<OnnxGraph, "initializers">,
): void {
  for (const [name, tensor] of initializers) {
    const value = addTensor(workshop, name, tensor);
    if (value) items.set(name, value);
    else note(workshop, "initializer", "it holds texts", name);
  }
}

/** A node of a function with the attributes of the caller put where it refers to them. */
function withAttributes(node: OnnxNode, caller: ReadonlyMap<string, OnnxAttribute>): OnnxNode {
  const attributes = new Map<string, OnnxAttribute>();
  for (const [name, attribute] of node.attributes) {
    const found = attribute.kind === "reference" ? caller.get(attribute.name) : inside(attribute, caller);
    if (found) attributes.set(name, found);
  }
  return { ...node, attributes };
}

function inside(attribute: OnnxAttribute, caller: ReadonlyMap<string, OnnxAttribute>): OnnxAttribute {
  if (attribute.kind !== "graph") return attribute;
  const nodes = attribute.graph.nodes.map((node) => withAttributes(node, caller));
  return { kind: "graph", graph: { ...attribute.graph, nodes } };
}

/** Put a function's nodes in the place of its call. */
function inline(scope: Scope, call: OnnxNode, callee: OnnxFunction): void {
  const inner: Scope = { ...scope, items: new Map(), opsets: callee.opsets, parent: undefined };
  callee.inputs.forEach((name, i) => {
    const item = lookUp(scope, call.inputs[i] ?? "");
    if (item) inner.items.set(name, item);
  });
  const given = new Map([...callee.defaults, ...call.attributes]);
  for (const node of callee.nodes)
    addNode(inner, withAttributes({ ...node, name: `${call.name}/${node.name}` }, given));
  callee.outputs.forEach((name, i) => {
    const item = inner.items.get(name);
    const to = call.outputs[i] ?? "";
    if (item && to !== "") scope.items.set(to, item);
  });
}

const placed = (error: unknown, file: string): readonly Diagnostic[] =>
  error instanceof CompileError
    ? error.diagnostics.map((d) => ({ ...d, where: d.where ?? ({ kind: "file", file } as const) }))
    : [];

/** Whether all shapes are known: what does not fit then will never fit. */
const isStatic = (scope: Scope, node: OnnxNode): boolean =>
  node.inputs.every((name) => {
    const item = lookUp(scope, name);
    return !isValue(item) || item.type.dims.every((d) => typeof d === "number");
  });

const shapeFault = (file: string, node: OnnxNode, why: string): Diagnostic =>
  diag("onnx/shape-mismatch", { kind: "file", file }, node.name, why);

/** The outputs of a node that is no call of a function, or undefined with the reason noted. */
function lower(scope: Scope, node: OnnxNode): readonly (Item | undefined)[] | undefined {
  const { workshop } = scope;
  if (node.op === "Constant" && node.domain === "") {
    const value = constantNode(scope, node);
    if (!value) note(workshop, "Constant", "its value is not of numbers", node.name);
    return value && [value];
  }
  const lowering = loweringOf(node);
  if (!lowering) {
    note(workshop, longName(node), "it has no implementation", node.name);
    return undefined;
  }
  try {
    return lowering(contextOf(scope, node));
  } catch (error) {
    if (!(error instanceof UnsupportedForm || error instanceof CompileError)) throw error;
    const fault = error instanceof CompileError ? error.diagnostics[0] : undefined;
    const why = fault?.message ?? error.message;
    if (fault?.code.startsWith("onnx/")) workshop.faults.push(...placed(error, workshop.model.file));
    else if (fault && isStatic(scope, node)) workshop.faults.push(shapeFault(workshop.model.file, node, why));
    else note(workshop, longName(node), why, node.name);
    return undefined;
  }
}

/** Lower one node, or note why not; nothing where an input of it could not be made either: its maker is in the report. */
export function addNode(scope: Scope, node: OnnxNode): void {
  if (node.inputs.some((name) => name !== "" && !lookUp(scope, name))) return;
  const callee = scope.workshop.model.functions.get(functionKey(node.domain, node.op));
  if (callee) return inline(scope, node, callee);
  lower(scope, node)?.forEach((item, i) => {
    const name = node.outputs[i] ?? "";
    if (item && name !== "") scope.items.set(name, item);
  });
}
