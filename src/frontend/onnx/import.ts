import { buildFunc, type Builder } from "../../ir/builder.ts";
import type { Module, Value } from "../../ir/graph.ts";
import type { Dim } from "../../ir/dim.ts";
import { CompileError } from "../../support/diagnostics.ts";
import type { DType } from "../../tensor/dtype.ts";
import { source } from "../../tensor/recipe.ts";
import { foldLimit, foldOp } from "./fold.ts";
import { UnsupportedForm, type LoweringContext } from "./lowering.ts";
import { functionKey, type OnnxModel, type OnnxNode, type OnnxTensor, type OnnxValue } from "./model.ts";
import { lowerings } from "./ops/index.ts";
import { elementsOf } from "./tensor.ts";

/** An operator, or a form of one, that cannot be lowered: at which nodes, and why. */
export type Unsupported = { readonly op: string; readonly why: string; readonly nodes: readonly string[] };

export type ImportedOnnx = { readonly module: Module } | { readonly unsupported: readonly Unsupported[] };

/** What has been made so far, by the names of the graph. */
type Scope = {
  readonly builder: Builder;
  readonly values: Map<string, Value>;
  readonly constants: Map<Value, readonly number[]>;
  readonly missing: Map<string, { op: string; why: string; nodes: string[] }>;
};

const note = (scope: Scope, op: string, why: string, node: string): void => {
  const key = `${op}: ${why}`;
  const entry = scope.missing.get(key) ?? { op, why, nodes: [] };
  scope.missing.set(key, entry);
  entry.nodes.push(node);
};

function addInput(scope: Scope, { name, type }: OnnxValue): void {
  if (type?.kind !== "tensor" || type.dtype === "string" || !type.dims) {
    note(scope, "input", "it is not a tensor of numbers with a known rank", name);
    return;
  }
  const dims = type.dims.map((d, i): Dim =>
    typeof d === "string" ? d.replace(/\W/g, "_") : (d ?? `${name}_${i}`),
  );
  scope.values.set(name, scope.builder.param(name, { dtype: type.dtype, dims }));
}

function addTensor(scope: Scope, name: string, tensor: OnnxTensor): void {
  const { dtype, shape } = tensor;
  if (dtype === "string") return note(scope, "initializer", "it holds texts", name);
  if (shape.reduce((n, d) => n * d, 1) <= foldLimit)
    return addConstant(scope, name, dtype, shape, elementsOf(tensor));
  scope.values.set(name, scope.builder.op("weight", [], { recipe: source(name, dtype, shape) }, [name]));
}

function addConstant(
  scope: Scope,
  name: string,
  dtype: DType,
  dims: readonly number[],
  values: readonly number[],
): void {
  const value = scope.builder.op("constant", [], { dtype, dims, values }, [name]);
  scope.values.set(name, value);
  scope.constants.set(value, values);
}

/** Constant says its value in one of several attributes. */
function addConstantNode(scope: Scope, node: OnnxNode): void {
  const [name = ""] = node.outputs;
  const [given] = node.attributes.values();
  switch (given?.kind) {
    case "tensor":
      return addTensor(scope, name, given.tensor);
    case "float":
      return addConstant(scope, name, "f32", [], [given.value]);
    case "int":
      return addConstant(scope, name, "i64", [], [given.value]);
    case "floats":
      return addConstant(scope, name, "f32", [given.values.length], given.values);
    case "ints":
      return addConstant(scope, name, "i64", [given.values.length], given.values);
    default:
      return note(scope, "Constant", "its value is not of numbers", node.name);
  }
}

/** Lower one node, or note why not; nothing where an input of it could not be made either. */
function addNode(scope: Scope, node: OnnxNode, opset: number): void {
  if (node.op === "Constant" && node.domain === "") return addConstantNode(scope, node);
  const lower = node.domain === "" ? lowerings[node.op] : undefined;
  const long = node.domain === "" ? node.op : `${node.domain}::${node.op}`;
  if (!lower) return note(scope, long, "it has no implementation", node.name);
  const optional = (i: number): Value | undefined => scope.values.get(node.inputs[i] ?? "");
  if (node.inputs.some((name) => name !== "" && !scope.values.has(name))) return; // its maker is in the report
  const record = (values: readonly Value[]): void =>
    values.forEach((value, i) => void scope.values.set(node.outputs[i] ?? "", value));
  const cx: LoweringContext = {
    node,
    opset,
    op: (op, operands, attrs) => {
      const value = scope.builder.op(op, operands, attrs, [node.name]);
      if (op === "constant" && "values" in attrs)
        scope.constants.set(value, attrs.values as readonly number[]);
      const known = (v: Value) => scope.constants.get(v);
      const folded = foldOp(value, operands, known, (b, constants) => b.op(op, constants, attrs));
      if (!folded) return value;
      const { dtype, dims } = value.type;
      const constant = scope.builder.op("constant", [], { dtype, dims: dims.map(Number), values: folded }, [
        node.name,
      ]);
      scope.constants.set(constant, folded);
      return constant;
    },
    multi: (op, operands, attrs) => scope.builder.multi(op, operands, attrs, [node.name]),
    input: (i) => {
      const value = optional(i);
      if (!value) throw new UnsupportedForm(`input ${i} is left out`);
      return value;
    },
    optional,
    known: (value) => value && scope.constants.get(value),
  };
  try {
    record(lower(cx));
  } catch (error) {
    if (error instanceof UnsupportedForm) return note(scope, long, error.message, node.name);
    if (error instanceof CompileError)
      return note(scope, long, error.message.split("\n")[0] ?? "", node.name);
    throw error;
  }
}

/**
 * A model as one function `main`, or everything that keeps it from being one. Inputs in `fixed` are constants from now on:
 * the way to know shapes that a model takes as data.
 */
export function importOnnx(
  model: OnnxModel,
  fixed: ReadonlyMap<string, OnnxTensor> = new Map(),
): ImportedOnnx {
  const { graph } = model;
  const scope: Scope = {
    builder: buildFunc("main"),
    values: new Map(),
    constants: new Map(),
    missing: new Map(),
  };
  const given = new Map([...graph.initializers, ...fixed]);
  for (const input of graph.inputs) if (!given.has(input.name)) addInput(scope, input);
  for (const [name, tensor] of given) addTensor(scope, name, tensor);
  for (const node of graph.nodes) {
    if (model.functions.has(functionKey(node.domain, node.op)))
      note(scope, node.op, "functions are not inlined yet", node.name);
    else addNode(scope, node, model.opsets.get("") ?? 0);
  }
  for (const { name } of graph.outputs) {
    const value = scope.values.get(name);
    if (value) scope.builder.result(name, value);
  }
  if (scope.missing.size > 0) return { unsupported: [...scope.missing.values()] };
  return { module: { funcs: [scope.builder.finish()] } };
}
