import type { Value } from "../../ir/graph.ts";
import type { Builder } from "../../ir/builder.ts";
import type { Dim } from "../../ir/dim.ts";
import type { OnnxNode } from "./model.ts";

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
  /** The elements of a value known at compile time, or undefined. */
  readonly known: (value: Value | undefined) => readonly number[] | undefined;
};

/** How one ONNX operator is said in IR operators: its outputs in order. */
export type Lowering = (cx: LoweringContext) => readonly Value[];
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

/** A constant of the dtype of `like`. */
export const constantLike = (cx: LoweringContext, like: Value, value: number): Value =>
  cx.op("constant", [], { dtype: like.type.dtype, dims: [], values: [value] });

/** An axis counted from the front. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** The elements of an input that the operator needs at compile time. */
export const needKnown = (cx: LoweringContext, i: number, what: string): readonly number[] =>
  cx.known(cx.optional(i)) ?? unsupported(`its ${what} is not known before it runs`);

export const rankOf = (value: Value): number => value.type.dims.length;
export const fixedDim = (dim: Dim | undefined, what: string): number =>
  typeof dim === "number" ? dim : unsupported(`${what} has a size that is not known before it runs`);
