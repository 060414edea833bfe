import type { Node, NodeOf, Value } from "../../src/ir/graph.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import type { Dim } from "../../src/ir/dim.ts";
import type { Site } from "../../src/pass/edit.ts";

/** How one structured operator is said in plain ones: the values that take its results' places. */
export type Decomposition<K extends OpName> = (plain: Plain, node: NodeOf<K>) => readonly Value[];

/** Short words for making plain operators. */
export type Plain = ReturnType<typeof plain>;

export function plain(site: Site) {
  const { make } = site;
  const scalar = (value: number): Value => make("constant", [], { dtype: "f32", dims: [], values: [value] });
  const transpose = (x: Value, perm: readonly number[]): Value => make("transpose", [x], { perm });
  return {
    scalar,
    /** The shape of a value. */
    dims: (x: Value): readonly Dim[] => x.type.dims,
    add: (a: Value, b: Value): Value => make("add", [a, b], {}),
    sub: (a: Value, b: Value): Value => make("sub", [a, b], {}),
    mul: (a: Value, b: Value): Value => make("mul", [a, b], {}),
    div: (a: Value, b: Value): Value => make("div", [a, b], {}),
    scale: (x: Value, by: number): Value => (by === 1 ? x : make("mul", [x, scalar(by)], {})),
    unary: (op: "rsqrt" | "sigmoid" | "cos" | "sin", x: Value): Value => make(op, [x], {}),
    reshape: (x: Value, dims: readonly Dim[]): Value => make("reshape", [x], { dims }),
    broadcast: (x: Value, dims: readonly Dim[]): Value => make("broadcast", [x], { dims }),
    slice: (x: Value, axis: number, begin: number, end: number): Value =>
      make("slice", [x], { axis, begin, end }),
    concat: (parts: readonly Value[], axis: number): Value => make("concat", parts, { axis }),
    transpose,
    /** The last two axes exchanged. */
    turned: (x: Value): Value => {
      const axes = x.type.dims.map((_, i) => i);
      return transpose(x, [...axes.slice(0, -2), ...axes.slice(-2).reverse()]);
    },
    matmul: (a: Value, b: Value): Value => make("matmul", [a, b], {}),
    softmax: (x: Value): Value => make("softmax", [x], {}),
    sum: (x: Value, axis: number): Value => make("reduceSum", [x], { axis }),
    mean: (x: Value, axis: number): Value => make("reduceMean", [x], { axis }),
    max: (x: Value, axis: number): Value => make("reduceMax", [x], { axis }),
    cast: (x: Value, dtype: "f32" | "i32"): Value =>
      x.type.dtype === dtype ? x : make("cast", [x], { dtype }),
    iota: (dims: readonly Dim[], axis: number): Value => make("iota", [], { dims, axis }),
    compare: (a: Value, how: "equal" | "lessOrEqual", b: Value): Value => make("compare", [a, b], { how }),
    select: (condition: Value, a: Value, b: Value): Value => make("select", [condition, a, b], {}),
    topK: (x: Value, k: number): readonly [values: Value, indices: Value] => {
      const [values, indices] = site.multi("topK", [x], { k });
      if (!values || !indices) throw new Error("topK has two results");
      return [values, indices];
    },
  };
}

/** The operands of a node that its definition requires, and a number where the decomposition needs a static size. */
export function operand(node: Node, i: number): Value {
  const value = node.operands[i];
  if (!value) throw new Error(`${node.op} has no operand ${i}`);
  return value;
}

export const size = (x: Value, axis: number): number => Number(x.type.dims.at(axis));
