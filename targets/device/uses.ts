/** Who reads what in a function. */
import { isOp, type Func, type Node, type Param, type Value } from "../../src/ir/graph.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import type { Precision } from "./precision.ts";
import { viewRules } from "./rules/views.ts";

/** Operators that look at what is there or turn it, and collectives that bring ranks the rows of others, or sums of them: all give the dtype that they get. */
const passing: ReadonlySet<OpName> = new Set([
  ...(Object.keys(viewRules) as OpName[]), // Object.keys forgets the key type
  ...(["rope", "allReduce", "reduceScatter", "allGather", "dispatch", "combine"] as const),
]);

export type Readers = ReadonlySet<OpName | "result">;

/**
 * The operators that read each value, and `result` for the function's caller. Who reads a view of a value, or what a rotation or a collective makes
 * of it, reads the value.
 */
export function readersOf(func: Func): ReadonlyMap<Value, Readers> {
  const found = new Map<Value, Set<OpName | "result">>();
  const add = (value: Value, by: OpName | "result"): void =>
    void (found.get(value)?.add(by) ?? found.set(value, new Set([by])));
  const sent = new Set(func.body.flatMap((node) => (isOp(node, "send") ? node.results : [])));
  for (const { value } of func.results) if (!sent.has(value)) add(value, "result");
  for (const node of func.body.toReversed())
    node.operands.forEach((value, i) => {
      const [first] = node.results;
      const isPassed = i === 0 && first !== undefined && passing.has(node.op);
      for (const by of isPassed ? (found.get(first) ?? []) : [node.op]) add(value, by);
    });
  return found;
}

/** How integer products take a value: rounded, so many neighbours rotated together before (1: not at all), and whether all its readers do. */
export type Rounded = { readonly rotation: number; readonly isAll: boolean };

/** The values that integer products round. */
export function roundedIn(func: Func): ReadonlyMap<Value, Rounded> {
  const takes = (node: Node, value: Value): boolean =>
    (isOp(node, "integerLinear") || isOp(node, "integerExperts")) && node.operands[0] === value;
  const readers = new Map<Value, Node[]>();
  for (const node of func.body)
    for (const value of new Set(node.operands)) readers.set(value, [...(readers.get(value) ?? []), node]);
  const rotationBy = (node: Node, value: Value): number | undefined => {
    if (takes(node, value)) return 1;
    const [turned] = isOp(node, "hadamard") ? node.results : [];
    const isTaken = turned && (readers.get(turned) ?? []).every((it) => takes(it, turned));
    return isOp(node, "hadamard") && isTaken ? node.attrs.block : undefined;
  };
  const results = new Set(func.results.map((it) => it.value));
  return new Map(
    [...readers].flatMap(([value, nodes]) => {
      const rotations = nodes.map((it) => rotationBy(it, value));
      const rotation = rotations.find((it) => it !== undefined);
      const isAll = !results.has(value) && rotations.every((it) => it === rotation);
      return rotation === undefined ? [] : [[value, { rotation, isAll }] as const];
    }),
  );
}

/** What a cache is kept in: codes and their scales as they are, rows as they are multiplied. */
export function cacheType(
  func: Func,
  { name, type }: Param,
  readers: ReadonlyMap<Value, Readers>,
  { operand }: Precision,
): DType {
  if (type.dtype !== "f32") return type.dtype;
  const grown = func.body.find((node) => node.op === "cacheAppend" && func.params.some((it) => it.name === name && it === node.operands[0])); // prettier-ignore
  const [result] = grown?.results ?? [];
  return result && readers.get(result)?.has("dequantizeRows") ? "f32" : operand;
}

/** The place in the body of the last operator that reads a value or a view of it; what reads a concatenation may read its parts where they lie. */
export const lastReader = (func: Func, value: Value): number =>
  func.body.reduce((last, node, i) => {
    if (!node.operands.includes(value)) return last;
    const [view] = node.results;
    return Math.max(
      last,
      i,
      view && (passing.has(node.op) || isOp(node, "concat")) ? lastReader(func, view) : 0,
    );
  }, 0);
