import type { Value } from "../../../ir/graph.ts";
import type { Builder } from "../../../ir/builder.ts";
import type { Dim, Positive } from "../../../ir/dim.ts";
import type { Recipe } from "../../../tensor/recipe.ts";
import type { DType } from "../../../tensor/dtype.ts";
import type { OnnxGraph, OnnxNode } from "../model.ts";

/** What a name of the graph can stand for. The length of a sequence, and whether an optional is there, are known at import. */
export type Item = Value | Sequence | Nothing;
export type Sequence = { readonly kind: "sequence"; readonly items: readonly Item[] };
export type Nothing = { readonly kind: "nothing" };

export const isValue = (item: Item | undefined): item is Value => item !== undefined && "type" in item;

/** What the lowering of one ONNX node sees. */
export type LoweringContext = {
  readonly node: OnnxNode;
  readonly opset: number;
  /** Append IR operators; they take the node's name as their origin. */
  readonly op: Builder["op"];
  readonly multi: Builder["multi"];
  /** Input `i`, which the operator requires. */
  readonly input: (i: number) => Value;
  /** Input `i`, or undefined where the node leaves it out. */
  readonly optional: (i: number) => Value | undefined;
  /** Input `i`, be it no tensor. */
  readonly item: (i: number) => Item | undefined;
  /** The elements of a value as numbers where they are known at compile time, or undefined. */
  readonly known: (value: Value | undefined) => readonly number[] | undefined;
  /** The elements of a value as numbers and named dims, or undefined. */
  readonly knownDims: (value: Value | undefined) => readonly Dim[] | undefined;
  /** The elements of a value that stands in the file, up to a few million; undefined for what is computed. */
  readonly stored: (value: Value | undefined) => readonly number[] | undefined;
  /** The bytes of a tensor of the file read as another dtype and shape, as a recipe; undefined for what is computed. */
  readonly storedAs: (value: Value | undefined, dtype: DType, shape: readonly number[]) => Recipe | undefined;
  /** Lower the body of a graph attribute with these inputs: its outputs. */
  readonly body: (graph: OnnxGraph, inputs: readonly Item[]) => readonly Item[];
  /** Named dims that are never zero. */
  readonly positive: Positive;
  /** A name for a size that only the data tells. */
  readonly freshDim: () => Dim;
};

/** How one ONNX operator is said in IR operators: its outputs in order, undefined those that nobody makes. */
export type Lowering = (cx: LoweringContext) => readonly (Item | undefined)[];
export type LoweringTable = Readonly<Record<string, Lowering>>;

/** Thrown by a lowering for a form of its operator that it cannot take; the report tells of all. */
export class UnsupportedForm extends Error {}

export const unsupported = (why: string): never => {
  throw new UnsupportedForm(why);
};

/** Kinds were checked against the operator's table when the model was read. */
export function intOf(cx: LoweringContext, name: string, otherwise: number): number {
  const found = cx.node.attributes.get(name);
  return found?.kind === "int" ? found.value : otherwise;
}

export function floatOf(cx: LoweringContext, name: string, otherwise: number): number {
  const found = cx.node.attributes.get(name);
  return found?.kind === "float" ? found.value : otherwise;
}

export function intsOf(cx: LoweringContext, name: string): readonly number[] | undefined {
  const found = cx.node.attributes.get(name);
  return found?.kind === "ints" ? found.values : undefined;
}

export function textOf(cx: LoweringContext, name: string, otherwise: string): string {
  const found = cx.node.attributes.get(name);
  return found?.kind === "text" ? found.value : otherwise;
}

export function graphOf(cx: LoweringContext, name: string): OnnxGraph | undefined {
  const found = cx.node.attributes.get(name);
  return found?.kind === "graph" ? found.graph : undefined;
}

export const flagOf = (cx: LoweringContext, name: string, otherwise = false): boolean =>
  intOf(cx, name, otherwise ? 1 : 0) !== 0;

/** One number of a dtype. */
export const scalar = (cx: LoweringContext, dtype: DType, value: number): Value =>
  cx.op("constant", [], { dtype, dims: [], values: [value] });

/** A constant of the dtype of `like`. */
export const constantLike = (cx: LoweringContext, like: Value, value: number): Value =>
  scalar(cx, like.type.dtype, value);

/** An axis counted from the front. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** The elements of an input that the operator needs at compile time. */
export const needKnown = (cx: LoweringContext, i: number, what: string): readonly number[] =>
  cx.known(cx.optional(i)) ?? unsupported(`its ${what} is not known before it runs`);
export const needDims = (cx: LoweringContext, i: number, what: string): readonly Dim[] =>
  cx.knownDims(cx.optional(i)) ?? unsupported(`its ${what} is not known before it runs`);

export const rankOf = (value: Value): number => value.type.dims.length;
export const dimOf = (value: Value, axis: number): Dim => value.type.dims.at(axis) ?? 1;
export const fixedDim = (dim: Dim | undefined, what: string): number =>
  typeof dim === "number" ? dim : unsupported(`${what} has a size that is not known before it runs`);

export const inputs = (cx: LoweringContext): readonly Value[] => cx.node.inputs.map((_, i) => cx.input(i));

/** The value in another dtype. */
export const to = (cx: LoweringContext, x: Value, dtype: DType): Value =>
  x.type.dtype === dtype ? x : cx.op("cast", [x], { dtype });

/** Work in float32 and give back what came in. */
export const inF32 = (cx: LoweringContext, x: Value, f: (x: Value) => Value): Value =>
  to(cx, f(to(cx, x, "f32")), x.type.dtype);

export const reshape = (cx: LoweringContext, x: Value, dims: readonly Dim[]): Value =>
  cx.op("reshape", [x], { dims });
export const transpose = (cx: LoweringContext, x: Value, perm: readonly number[]): Value =>
  perm.every((axis, i) => axis === i) ? x : cx.op("transpose", [x], { perm });
export const slice = (cx: LoweringContext, x: Value, axis: number, begin: Dim, end: Dim): Value =>
  begin === 0 && end === x.type.dims[axis] ? x : cx.op("slice", [x], { axis, begin, end });
export const broadcast = (cx: LoweringContext, x: Value, dims: readonly Dim[]): Value =>
  dims.length === rankOf(x) && dims.every((d, i) => d === x.type.dims[i])
    ? x
    : cx.op("broadcast", [x], { dims });

/** The two-operand operators in few letters, the second operand a value or a number of the first's dtype. */
export const binary =
  (op: "add" | "sub" | "mul" | "div" | "max" | "min" | "pow" | "mod") =>
  (cx: LoweringContext, a: Value, b: Value | number): Value =>
    cx.op(op, [a, typeof b === "number" ? constantLike(cx, a, b) : b], {});
export const add = binary("add");
export const sub = binary("sub");
export const mul = binary("mul");
export const div = binary("div");
export const max = binary("max");
export const min = binary("min");
export const mod = binary("mod");

export type Comparison = "equal" | "less" | "lessOrEqual" | "greater" | "greaterOrEqual";
export const compare = (cx: LoweringContext, a: Value, how: Comparison, b: Value | number): Value =>
  cx.op("compare", [a, typeof b === "number" ? constantLike(cx, a, b) : b], { how });
export const select = (
  cx: LoweringContext,
  condition: Value,
  a: Value | number,
  b: Value | number,
): Value => {
  const like = typeof a === "number" ? b : a;
  if (typeof like === "number") return unsupported("it chooses between numbers without a dtype");
  const value = (x: Value | number): Value => (typeof x === "number" ? constantLike(cx, like, x) : x);
  return cx.op("select", [condition, value(a), value(b)], {});
};
export const not = (cx: LoweringContext, x: Value): Value => compare(cx, x, "equal", 0);

/** 0, 1, 2, … along one axis of a shape. */
export const iota = (cx: LoweringContext, dims: readonly Dim[], axis = 0): Value =>
  cx.op("iota", [], { dims, axis });

/** Whole numbers of a dtype, dims among them. */
export const extent = (cx: LoweringContext, values: readonly Dim[], dims: readonly number[] = []): Value =>
  values.every((v) => typeof v === "number")
    ? cx.op("constant", [], { dtype: "i64", dims, values })
    : cx.op("extent", [], { dtype: "i64", dims, values });
