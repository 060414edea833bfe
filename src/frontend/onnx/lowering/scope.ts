import { makeNode, type Builder } from "../../../ir/builder.ts";
import type { Dim, Positive } from "../../../ir/dim.ts";
import type { Node, Value } from "../../../ir/graph.ts";
import type { OpAttrs, OpName } from "../../../ir/ops/index.ts";
import { dtypes, type DType } from "../../../tensor/dtype.ts";
import type { Diagnostic } from "../../../support/diagnostics.ts";
import { source } from "../../../tensor/recipe.ts";
import { foldLimit, foldNode, type Known } from "./fold.ts";
import { UnsupportedForm, type Item } from "./context.ts";
import type { OnnxModel, OnnxTensor } from "../model.ts";
import { elementsOf } from "../reading/tensor.ts";

/** An operator, or a form of one, that cannot be lowered: at which nodes, and why. */
export type Unsupported = { readonly op: string; readonly why: string; readonly nodes: readonly string[] };

/** What one import has made so far, whatever graph it stands in. */
export type Workshop = {
  readonly model: OnnxModel;
  readonly builder: Builder;
  /** The elements of values that are known already. */
  readonly known: Map<Value, readonly Dim[]>;
  /** The weights in the module, each under the name its recipe calls it. */
  readonly weights: Map<string, OnnxTensor>;
  /** Named dims that are never zero. */
  readonly positive: Positive;
  readonly missing: Map<string, { op: string; why: string; nodes: string[] }>;
  /** What is wrong with the model itself. */
  readonly faults: Diagnostic[];
  /** The tensor of the file that a value is. */
  readonly tensors: Map<Value, OnnxTensor>;
  freshDims: number;
  /** How many operators there are by now. */
  made: number;
};

/** What the names of one graph or function stand for; those of the graphs around it are seen from inside. */
export type Scope = {
  readonly workshop: Workshop;
  readonly items: Map<string, Item>;
  readonly opsets: ReadonlyMap<string, number>;
  readonly parent: Scope | undefined;
};

export const lookUp = (scope: Scope | undefined, name: string): Item | undefined =>
  scope && (scope.items.get(name) ?? lookUp(scope.parent, name));

export function note({ missing }: Workshop, op: string, why: string, node: string): void {
  const key = `${op}: ${why}`;
  const entry = missing.get(key) ?? { op, why, nodes: [] };
  missing.set(key, entry);
  entry.nodes.push(node);
}

const allNumbers = (values: readonly Dim[]): values is readonly number[] =>
  values.every((v) => typeof v === "number");

function addKnown(w: Workshop, dtype: DType, { dims, values }: Known, origin: readonly string[]): Value {
  const value = allNumbers(values)
    ? w.builder.op("constant", [], { dtype, dims, values }, origin)
    : w.builder.op("extent", [], { dtype, dims, values }, origin);
  w.known.set(value, values);
  return value;
}

/** A new constant. */
export const addConstant = (
  w: Workshop,
  dtype: DType,
  dims: readonly number[],
  values: readonly number[],
  origin: string,
): Value => addKnown(w, dtype, { dims, values }, [origin]);

/** Loops inside loops, written out, must come to an end. */
const mostOperators = 1 << 20;

/** Append an operator, or constants in its place where its operands are known. */
export function addOp<K extends OpName>(
  w: Workshop,
  op: K,
  operands: readonly Value[],
  attrs: OpAttrs<K>,
  origin: readonly string[],
): readonly Value[] {
  if (++w.made > mostOperators)
    throw new UnsupportedForm(`written out it is more than ${mostOperators} operators`);
  const node: Node = makeNode(op, operands, attrs, origin);
  const folded = foldNode(node, (value) => w.known.get(value), w.positive);
  if (folded)
    return node.results.map((result, i) =>
      addKnown(w, result.type.dtype, folded[i] ?? { dims: [], values: [] }, origin),
    );
  const made = w.builder.multi(op, operands, attrs, origin);
  const values = node.attrs["values"];
  if (made[0] && operands.length === 0 && Array.isArray(values))
    w.known.set(made[0], values as readonly Dim[]); // constant and extent
  return made;
}

/** Whether a tensor can say something of a shape: few whole numbers, or one float. Other floats are weights, however few. */
function mayBeShape({ dtype, shape }: OnnxTensor): boolean {
  const count = shape.reduce((n, d) => n * d, 1);
  return dtype !== "string" && dtypes[dtype].kind === "float" ? count <= 1 : count <= foldLimit;
}

/** Of tensors up to this many elements it is seen whether they are one number everywhere: masks, and what is scattered into. */
const uniformLimit = 65536;

function uniformValue(tensor: OnnxTensor): number | undefined {
  if (tensor.shape.reduce((n, d) => n * d, 1) > uniformLimit) return undefined;
  const [first, ...rest] = elementsOf(tensor);
  return first !== undefined && rest.every((v) => v === first) ? first : undefined;
}

/** A tensor of the file: a constant where it may be a shape, else a weight read when it is needed. Undefined for texts. */
export function addTensor(w: Workshop, name: string, tensor: OnnxTensor): Value | undefined {
  const { dtype, shape } = tensor;
  if (dtype === "string") return undefined;
  if (mayBeShape(tensor) || tensor.data.kind !== "region") {
    const value = addConstant(w, dtype, shape, elementsOf(tensor), name);
    w.tensors.set(value, tensor);
    return value;
  }
  const uniform = uniformValue(tensor);
  if (uniform !== undefined)
    return addOp(w, "broadcast", [addConstant(w, dtype, [], [uniform], name)], { dims: shape }, [name])[0];
  const known = w.weights.get(name);
  const key = known && known !== tensor ? `${name}.${w.weights.size}` : name;
  w.weights.set(key, tensor);
  const value = w.builder.op("weight", [], { recipe: source(key, dtype, shape) }, [name]);
  w.tensors.set(value, tensor);
  return value;
}
