import { fail } from "../support/diagnostics.ts";
import { attributeFault, type AttrValue } from "./attributes.ts";
import { arity } from "./define-op.ts";
import type { Func, Node, Param, Value } from "./graph.ts";
import { definitionOf, type OpAttrs, type OpName } from "./ops/index.ts";
import type { TensorType } from "./types.ts";

/** Make one node, its result types inferred and its attributes checked. Throws `ir/type` or `ir/attribute`. */
export function makeNode<K extends OpName>(
  op: K,
  operands: readonly Value[],
  attrs: OpAttrs<K>,
  origin: readonly string[] = [],
): Node {
  const definition = definitionOf(op);
  const { min, max } = arity(definition.operands);
  if (operands.length < min || operands.length > max)
    fail(
      "ir/type",
      undefined,
      op,
      `takes ${definition.operands.join(", ")}, found ${operands.length} operands`,
    );
  const given: Readonly<Record<string, AttrValue>> = attrs;
  for (const [name, schema] of Object.entries(definition.attrs)) {
    const fault = attributeFault(schema, given[name]);
    if (fault) fail("ir/attribute", undefined, op, name, fault);
  }
  for (const name of Object.keys(given))
    if (!(name in definition.attrs)) fail("ir/attribute", undefined, op, name, "is not known");
  const types = definition.infer(
    operands.map((v) => v.type),
    given as never, // checked against the schema above
  );
  if (typeof types === "string") return fail("ir/type", undefined, op, types);
  return { op, operands, attrs: given, results: types.map((type) => ({ type })), origin };
}

/** Collects the nodes of a function in order. */
export type Builder = {
  readonly param: (name: string, type: TensorType) => Value;
  /** Append an operator and give its first result. */
  readonly op: <K extends OpName>(
    op: K,
    operands: readonly Value[],
    attrs: OpAttrs<K>,
    origin?: readonly string[],
  ) => Value;
  /** Append an operator and give all its results. */
  readonly multi: <K extends OpName>(
    op: K,
    operands: readonly Value[],
    attrs: OpAttrs<K>,
    origin?: readonly string[],
  ) => readonly Value[];
  readonly result: (name: string, value: Value) => void;
  readonly finish: () => Func;
};

export function buildFunc(name: string): Builder {
  const params: Param[] = [];
  const body: Node[] = [];
  const results: { name: string; value: Value }[] = [];
  const multi: Builder["multi"] = (op, operands, attrs, origin) => {
    const node = makeNode(op, operands, attrs, origin);
    body.push(node);
    return node.results;
  };
  return {
    param: (paramName, type) => {
      const value = { name: paramName, type };
      params.push(value);
      return value;
    },
    multi,
    op: (op, operands, attrs, origin) => {
      const [first] = multi(op, operands, attrs, origin);
      if (!first) throw new Error(`${op} has no result`);
      return first;
    },
    result: (resultName, value) => void results.push({ name: resultName, value }),
    finish: () => ({ name, params, body, results }),
  };
}
