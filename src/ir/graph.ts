import type { AttrValue } from "./attributes.ts";
import type { OpAttrs, OpName } from "./ops/index.ts";
import type { TensorType } from "./types.ts";

/** An SSA value. Values are compared by identity; `name` is for reading only, and printing numbers the rest. */
export type Value = { readonly type: TensorType; readonly name?: string };

/** One operator applied to operands. Nodes are immutable; a rewrite that changes nothing keeps the node. */
export type Node = {
  readonly op: OpName;
  readonly operands: readonly Value[];
  readonly attrs: Readonly<Record<string, AttrValue>>;
  readonly results: readonly Value[];
  /** Where it came from: names of the checkpoint or of the imported graph. Rewrites merge these. */
  readonly origin: readonly string[];
};

export type Param = Value & { readonly name: string };
export type Result = { readonly name: string; readonly value: Value };

/** A function in SSA form: nodes stand after the nodes they read. */
export type Func = {
  readonly name: string;
  readonly params: readonly Param[];
  readonly body: readonly Node[];
  readonly results: readonly Result[];
};

export type Module = { readonly funcs: readonly Func[] };

/** A node known to be of one operator, with its attributes typed. */
export type NodeOf<K extends OpName> = Node & { readonly op: K; readonly attrs: OpAttrs<K> };

/** True when `node` is of operator `op`; attributes were checked when the node was made. */
export const isOp = <K extends OpName>(node: Node | undefined, op: K): node is NodeOf<K> => node?.op === op;

/** The node that makes each value; params are absent. */
export function definitions(func: Func): ReadonlyMap<Value, Node> {
  const map = new Map<Value, Node>();
  for (const node of func.body) for (const value of node.results) map.set(value, node);
  return map;
}
