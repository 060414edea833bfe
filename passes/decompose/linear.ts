import type { Value } from "../../src/ir/graph.ts";
import { operand, size, type Decomposition, type Plain } from "./plain.ts";

/** x @ w^T over the last axis, w [out, in]. */
export const project = (p: Plain, x: Value, w: Value): Value => p.matmul(p.cast(x, "f32"), p.turned(w));

export const linear: Decomposition<"linear"> = (p, node) => {
  const bias = node.operands[2];
  const x = operand(node, 0);
  const rows = p.dims(x).length === 1 ? p.reshape(x, [1, size(x, 0)]) : x;
  const product = project(p, rows, operand(node, 1));
  const out = p.dims(x).length === 1 ? p.reshape(product, [size(product, -1)]) : product;
  return [bias ? p.add(out, p.cast(bias, "f32")) : out];
};

/** Heads become the batch of a matrix product: [S, heads, in] to [heads, S, in] and back. */
export const headLinear: Decomposition<"headLinear"> = (p, node) => {
  const byHead = p.transpose(p.cast(operand(node, 0), "f32"), [1, 0, 2]);
  return [p.transpose(p.matmul(byHead, p.turned(operand(node, 1))), [1, 0, 2])];
};
