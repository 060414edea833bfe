import type { Func, Node, Value } from "../ir/graph.ts";
import { isCollective } from "../ir/ops/collective.ts";
import type { OpName } from "../ir/ops/index.ts";
import { bindDim, bindDims, dimNames, type Bindings, type Dim } from "../ir/dim.ts";
import { formatDims } from "../ir/types.ts";
import type { Recipe } from "../tensor/recipe.ts";
import type { Call, Kernel } from "./kernel.ts";
import { kernels } from "./kernels.ts";
import type { Tensor } from "./tensor.ts";

export type InterpretOptions = {
  /** Named dims that no input has. */
  readonly dims?: Bindings;
  /** Sees every value as it is computed. */
  readonly onValue?: (value: Value, tensor: Tensor, origin: readonly string[]) => void;
};

/** What the named dims stand for, read off the shapes of the inputs; a sum gives the one name in it still unknown. */
function bindingsOf(
  func: Func,
  inputs: ReadonlyMap<string, Tensor>,
  given: Bindings = {},
): Record<string, number> {
  const bindings: Record<string, number> = { ...given };
  const sizes = func.params.flatMap((param) => {
    const shape = inputs.get(param.name)?.shape;
    if (!shape) throw new Error(`input ${param.name} is missing`);
    if (shape.length !== param.type.dims.length)
      throw new Error(`input ${param.name} is ${formatDims(shape)}, expected ${formatDims(param.type.dims)}`);
    return param.type.dims.map((dim, i) => ({ param, dim, size: shape[i] ?? 0 }));
  });
  for (const { dim, size } of sizes.toSorted((a, b) => dimNames(a.dim).length - dimNames(b.dim).length)) {
    const unknown = dimNames(dim).filter((name) => bindings[name] === undefined);
    const [name] = unknown;
    if (name === undefined || unknown.length !== 1) continue;
    const [none, one] = [0, 1].map((n) => bindDim(dim, { ...bindings, [name]: n })) as [number, number];
    bindings[name] = (size - none) / (one - none);
  }
  for (const { param, dim, size } of sizes)
    if (bindDim(dim, bindings) !== size)
      throw new Error(`input ${param.name} has ${size} where ${formatDims(param.type.dims)} is expected`);
  return bindings;
}

const isBound = (dims: readonly Dim[], bindings: Bindings): boolean =>
  dims.every((d) => dimNames(d).every((name) => bindings[name] !== undefined));

/** Dims that only the data tells are known from the first value that has them. */
function bindNew(dims: readonly Dim[], shape: readonly number[], bindings: Record<string, number>): void {
  dims.forEach((d, i) => {
    if (typeof d === "string" && bindings[d] === undefined && dimNames(d).includes(d))
      bindings[d] = shape[i] ?? 0;
  });
}

/** A run that has come to a collective of several ranks: what it brings there. It goes on with its results. */
export type Pause = {
  readonly node: Node;
  readonly operands: readonly Tensor[];
  readonly call: Call<never>;
};

const isMeeting = ({ op, attrs }: Node): boolean =>
  isCollective(op) && (attrs["group"] as number[]).length > 1; // by its definition

/** Run a function operator by operator, and stop at each collective of several ranks. */
export function* steps(
  func: Func,
  inputs: ReadonlyMap<string, Tensor>,
  weight: (recipe: Recipe) => Tensor,
  options: InterpretOptions = {},
): Generator<Pause, ReadonlyMap<string, Tensor>, readonly Tensor[]> {
  const bindings = bindingsOf(func, inputs, options.dims);
  const live = new Map<Value, Tensor>();
  const lastUse = new Map<Value, number>();
  func.body.forEach((node, i) => node.operands.forEach((v) => lastUse.set(v, i)));
  func.results.forEach((r) => lastUse.set(r.value, Infinity));
  for (const param of func.params) {
    const tensor = inputs.get(param.name);
    if (tensor) live.set(param, tensor);
  }
  const read = (v: Value): Tensor => {
    const tensor = live.get(v);
    if (!tensor) throw new Error("a value is read before it is computed");
    return tensor;
  };
  for (const [i, node] of func.body.entries()) {
    const kernel: Kernel<OpName> = kernels[node.op] as Kernel<never>; // node.attrs were checked for node.op when it was made
    const call = {
      attrs: node.attrs as never,
      shapes: node.results.map((r) =>
        isBound(r.type.dims, bindings) ? bindDims(r.type.dims, bindings) : [],
      ),
      dtypes: node.results.map((r) => r.type.dtype),
      bind: (dim: Dim) => bindDim(dim, bindings),
      weight,
    };
    const operands = node.operands.map(read);
    const results = isMeeting(node) ? yield { node, operands, call } : kernel(operands, call);
    node.results.forEach((value, j) => {
      const tensor = results[j];
      if (tensor) bindNew(value.type.dims, tensor.shape, bindings);
      const expected = bindDims(value.type.dims, bindings);
      if (!tensor || String(tensor.shape) !== String(expected))
        throw new Error(`${node.op} gave [${String(tensor?.shape)}], expected [${String(expected)}]`);
      options.onValue?.(value, tensor, node.origin);
      if (lastUse.has(value)) live.set(value, tensor);
    });
    for (const v of node.operands) if (lastUse.get(v) === i) live.delete(v);
  }
  return new Map(func.results.map((r) => [r.name, read(r.value)]));
}

/**
 * Run a function of one rank: float32 values, float64 accumulation. The judge of every pass and kernel.
 * `weight` gives a recipe's elements. Values are dropped after their last use.
 */
export function interpret(
  func: Func,
  inputs: ReadonlyMap<string, Tensor>,
  weight: (recipe: Recipe) => Tensor,
  options: InterpretOptions = {},
): ReadonlyMap<string, Tensor> {
  const { done, value } = steps(func, inputs, weight, options).next();
  if (!done) throw new Error(`${value.node.op} of several ranks needs all of them`);
  return value;
}
