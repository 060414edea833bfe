import { buildFunc } from "../../../ir/builder.ts";
import {
  addDims,
  compareDims,
  floorDivideDims,
  maxDims,
  minDims,
  moduloDims,
  multiplyDims,
  productOf,
  subtractDims,
  type Dim,
  type Positive,
} from "../../../ir/dim.ts";
import type { Node, Value } from "../../../ir/graph.ts";
import type { OpName } from "../../../ir/ops/index.ts";
import { sizeOf } from "../../../ir/types.ts";
import { interpret } from "../../../interp/interpret.ts";

/** Values of up to this many elements are computed at import, so that shapes made of shapes are known. */
export const foldLimit = 256;

/** A value known at import: its shape and its elements, named dims among them. */
export type Known = { readonly dims: readonly number[]; readonly values: readonly Dim[] };

const allNumbers = (values: readonly Dim[]): values is readonly number[] =>
  values.every((v) => typeof v === "number");

/** The results of a node of one operator applied to known elements, by the interpreter; undefined where it cannot be run. */
function run(node: Node, operands: readonly (readonly number[])[]): readonly Known[] | undefined {
  const b = buildFunc("fold");
  const constants = node.operands.map(({ type }, i) =>
    b.op("constant", [], { dtype: type.dtype, dims: type.dims.map(Number), values: operands[i] ?? [] }),
  );
  // The attributes were checked when the node was made.
  b.multi(node.op, constants, node.attrs as never).forEach((value, i) => b.result(String(i), value));
  try {
    const results = interpret(b.finish(), new Map(), () => {
      throw new Error("a constant has no weights");
    });
    return [...results.values()].map(({ shape, data }) => ({ dims: shape, values: [...data] }));
  } catch (error) {
    if (error instanceof RangeError) return undefined; // an index out of range shows when it runs
    throw error;
  }
}

/** Operators whose results are as large as the data say. */
const counts: ReadonlySet<OpName> = new Set<OpName>(["nonZero", "unique"]);

/** Operators that move elements and compute nothing. */
const movements: ReadonlySet<OpName> = new Set<OpName>([
  "reshape",
  "transpose",
  "slice",
  "concat",
  "broadcast",
  "take",
  "takeAlong",
]);

/** A movement of named dims: the interpreter moves their numbers instead. */
function move(node: Node, operands: readonly Known[]): readonly Known[] | undefined {
  const moved = node.op === "concat" ? operands.length : 1;
  const all = operands.slice(0, moved).flatMap((o) => o.values);
  let count = 0;
  const numbered = operands.map(({ values }, i) =>
    i < moved ? values.map(() => count++) : allNumbers(values) ? values : undefined,
  );
  if (!numbered.every((v) => v !== undefined)) return undefined;
  return run(node, numbered)?.map(({ dims, values }) => ({
    dims,
    values: values.map((v) => all[Number(v)] ?? 0),
  }));
}

type Arithmetic = (a: Dim, b: Dim, positive: Positive) => Dim | undefined;

const decided =
  (holds: (sign: number) => boolean): Arithmetic =>
  (a, b, positive) => {
    const sign = compareDims(a, b, positive);
    return sign === undefined ? undefined : Number(holds(sign));
  };

const comparisons: Readonly<Record<string, Arithmetic>> = {
  equal: decided((s) => s === 0),
  less: decided((s) => s < 0),
  lessOrEqual: decided((s) => s <= 0),
  greater: decided((s) => s > 0),
  greaterOrEqual: decided((s) => s >= 0),
};

const arithmetic: { readonly [K in OpName]?: Arithmetic } = {
  add: addDims,
  sub: subtractDims,
  mul: multiplyDims,
  div: floorDivideDims,
  mod: moduloDims,
  max: maxDims,
  min: minDims,
  neg: (a) => multiplyDims(a, -1),
  sign: (a, _, positive) => compareDims(a, 0, positive),
};

/** Elements of an operand as its place among broadcast ones. */
function spread({ dims, values }: Known, to: readonly number[]): readonly Dim[] {
  const size = sizeOf(to);
  return Array.from({ length: size }, (_, i) => {
    let [at, stride, rest] = [0, 1, i];
    for (let axis = to.length - 1; axis >= 0; axis--) {
      const index = rest % (to[axis] ?? 1);
      rest = Math.floor(rest / (to[axis] ?? 1));
      const own = dims[axis - (to.length - dims.length)] ?? 1;
      at += own === 1 ? 0 : index * stride;
      stride *= own;
    }
    return values[at] ?? 0;
  });
}

function elementwise(
  node: Node,
  operands: readonly Known[],
  positive: Positive,
): readonly Known[] | undefined {
  const dims = (node.results[0]?.type.dims ?? []).map(Number);
  const columns = operands.map((o) => spread(o, dims));
  const f = node.op === "compare" ? comparisons[String(node.attrs["how"])] : arithmetic[node.op];
  const values = Array.from({ length: sizeOf(dims) }, (_, i): Dim | undefined => {
    const [a = 0, b = 0, c = 0] = columns.map((column) => column[i] ?? 0);
    if (node.op === "select") return typeof a === "number" ? (a ? b : c) : undefined;
    if (node.op === "cast") return node.attrs["dtype"] === "bool" ? minDims(1, a, positive) : a;
    return f?.(a, b, positive);
  });
  return values.every((v) => v !== undefined) ? [{ dims, values }] : undefined;
}

/** Whole numbers in which named dims may stand. */
const wholeNumbers = (value: Value | undefined): boolean =>
  value !== undefined && ["i64", "i32", "bool"].includes(value.type.dtype);

/**
 * What a node gives where all its operands are known: one entry for each result. Undefined where an operand is not known, a
 * result is too large to be a shape, or named dims do not say enough.
 */
export function foldNode(
  node: Node,
  known: (value: Value) => readonly Dim[] | undefined,
  positive: Positive,
): readonly Known[] | undefined {
  if (node.operands.length === 0 && node.op !== "iota") return undefined;
  const tooLarge = ({ type }: Value): boolean => sizeOf(type.dims) > foldLimit;
  if (node.results.some(tooLarge)) return undefined;
  const operands: Known[] = [];
  for (const operand of node.operands) {
    const values = known(operand);
    if (!values) return undefined;
    operands.push({ dims: operand.type.dims.map(Number), values });
  }
  const numbers = operands.map((o) => o.values).filter(allNumbers);
  const shaped = node.results.every(({ type }) => allNumbers(type.dims));
  if (numbers.length === operands.length)
    return shaped || counts.has(node.op) ? run(node, numbers) : undefined;
  if (!shaped) return undefined;
  if (movements.has(node.op)) return move(node, operands);
  if (!node.results.every(wholeNumbers)) return undefined;
  const [first] = operands;
  if (node.op === "reduceProd" && first?.dims.length === 1)
    return [{ dims: [1], values: [productOf(first.values)] }];
  return elementwise(node, operands, positive);
}
