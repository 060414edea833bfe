import { diag, type Diagnostic, type Where } from "../support/diagnostics.ts";
import { attributeFault } from "./attributes.ts";
import type { Func, Module, Node, Value } from "./graph.ts";
import { definitionOf } from "./ops/index.ts";
import { valueNames } from "./printer.ts";
import { formatType, sameType } from "./types.ts";

/**
 * Every rule a well-formed module keeps: values are defined once and before use, attributes are of their schema,
 * result types are the inferred ones, names are unique. Gives all faults; none means the module is sound.
 * Nodes found sound are noted in `sound`; as they never change, they are not looked at again.
 */
export function verify(module: Module, sound = new WeakSet<Node>()): readonly Diagnostic[] {
  const names = module.funcs.map((f) => f.name);
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  return [
    ...twice.map((name) => diag("ir/redefined-value", undefined, `@${name}`)),
    ...module.funcs.flatMap((func) => verifyFunc(func, sound)),
  ];
}

function verifyFunc(func: Func, sound: WeakSet<Node>): readonly Diagnostic[] {
  const faults: Diagnostic[] = [];
  const nameOf = valueNames(func);
  const where = (v: Value) => ({ kind: "value", func: func.name, value: nameOf(v).slice(1) }) as const;
  const defined = new Set<Value>();
  const define = (v: Value) => {
    if (defined.has(v)) faults.push(diag("ir/redefined-value", where(v), nameOf(v).slice(1)));
    defined.add(v);
  };
  const use = (v: Value) => {
    if (!defined.has(v)) faults.push(diag("ir/undefined-value", where(v), nameOf(v).slice(1)));
  };
  func.params.forEach(define);
  for (const node of func.body) {
    node.operands.forEach(use);
    if (!sound.has(node)) {
      const found = nodeFaults(node, node.results[0] && where(node.results[0]));
      if (found.length === 0) sound.add(node);
      faults.push(...found);
    }
    node.results.forEach(define);
  }
  func.results.forEach((r) => use(r.value));
  return faults;
}

/** What is wrong with a node taken by itself: its attributes and its result types. */
function nodeFaults(node: Node, at: Where | undefined): readonly Diagnostic[] {
  const definition = definitionOf(node.op);
  const faults: Diagnostic[] = [];
  for (const [name, schema] of Object.entries(definition.attrs)) {
    const fault = attributeFault(schema, node.attrs[name]);
    if (fault) faults.push(diag("ir/attribute", at, node.op, name, fault));
  }
  const operandTypes = node.operands.map((v) => v.type);
  const inferred = definition.infer(operandTypes, node.attrs as never); // its attributes were checked above
  if (typeof inferred === "string") return [...faults, diag("ir/type", at, node.op, inferred)];
  node.results.forEach((v, i) => {
    const t = inferred[i];
    if (!t || !sameType(t, v.type))
      faults.push(diag("ir/type", at, node.op, `result ${i} is ${formatType(v.type)}`));
  });
  return faults;
}
