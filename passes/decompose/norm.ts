import type { Value } from "../../src/ir/graph.ts";
import { operand, type Decomposition, type Plain } from "./plain.ts";

function normalize(p: Plain, x: Value, gain: Value, eps: number): Value {
  const meanSquare = p.mean(p.mul(x, x), p.dims(x).length - 1);
  return p.mul(p.mul(x, p.unary("rsqrt", p.add(meanSquare, p.scalar(eps)))), p.cast(gain, "f32"));
}

export const rmsNorm: Decomposition<"rmsNorm"> = (p, node) => [
  normalize(p, operand(node, 0), operand(node, 1), node.attrs.eps),
];

export const addRmsNorm: Decomposition<"addRmsNorm"> = (p, node) => {
  const sum = p.add(operand(node, 0), operand(node, 1));
  return [sum, normalize(p, sum, operand(node, 2), node.attrs.eps)];
};
