import type { NodeOf, Value } from "../../src/ir/graph.ts";
import { project } from "./linear.ts";
import { operand, size, type Decomposition, type Plain } from "./plain.ts";

const gated = (p: Plain, gate: Value, up: Value): Value => p.mul(p.mul(gate, p.unary("sigmoid", gate)), up);

export const silu: Decomposition<"silu"> = (p, node) => {
  const x = operand(node, 0);
  return [p.mul(x, p.unary("sigmoid", x))];
};

export const swiglu: Decomposition<"swiglu"> = (p, node) => [gated(p, operand(node, 0), operand(node, 1))];

function gatedHalves(p: Plain, x: Value): Value {
  const last = p.dims(x).length - 1;
  const half = size(x, -1) / 2;
  return gated(p, p.slice(x, last, 0, half), p.slice(x, last, half, 2 * half));
}

export const swigluPacked: Decomposition<"swigluPacked"> = (p, node) => [gatedHalves(p, operand(node, 0))];

/** [S, k] indices below n as conditions [S, k, n]: where each index points. */
function oneHot(p: Plain, indices: Value, n: number): Value {
  const [s = 1, k = 1] = p.dims(indices);
  return p.compare(p.reshape(indices, [s, k, 1]), "equal", p.iota([1, 1, n], 2));
}

/** One where any of the k indices points, else zero: [S, n]. */
function chosen(p: Plain, indices: Value, n: number): Value {
  const [s = 1] = p.dims(indices);
  return p.reshape(p.max(p.cast(oneHot(p, indices, n), "f32"), 1), [s, n]);
}

/** Scores of experts outside the best groups become minus infinity. */
function withinBestGroups(p: Plain, choice: Value, { attrs }: NodeOf<"router">): Value {
  const { groups, topGroups, groupScore } = attrs;
  if (groups === 1) return choice;
  const [s = 1] = p.dims(choice);
  const experts = size(choice, 1);
  const grouped = p.reshape(choice, [s, groups, experts / groups]);
  const members = groupScore === "top2" ? Math.min(2, experts / groups) : 1;
  const scores = p.reshape(p.sum(p.topK(grouped, members)[0], 2), [s, groups]);
  const kept = p.reshape(chosen(p, p.topK(scores, topGroups)[1], groups), [s, groups, 1]);
  const inside = p.compare(p.scalar(1), "lessOrEqual", kept);
  return p.reshape(p.select(inside, grouped, p.scalar(-Infinity)), [s, experts]);
}

export const router: Decomposition<"router"> = (p, node) => {
  const { topK, scoring, normalize, scale } = node.attrs;
  const logits = operand(node, 0);
  const bias = node.operands[1];
  const [s = 1] = p.dims(logits);
  const experts = size(logits, 1);
  const scores = scoring === "softmax" ? p.softmax(logits) : p.unary("sigmoid", logits);
  const choice = bias ? p.add(scores, p.cast(bias, "f32")) : scores;
  const [, indices] = p.topK(withinBestGroups(p, choice, node), topK);
  const spread = p.select(oneHot(p, indices, experts), p.reshape(scores, [s, 1, experts]), p.scalar(0));
  const picked = p.reshape(p.sum(spread, 2), [s, topK]);
  const weights = normalize ? p.div(picked, p.add(p.sum(picked, 1), p.scalar(1e-20))) : picked;
  return [indices, p.scale(weights, scale)];
};

/** What each expert weighs for each token: [S, experts], zero where it was not chosen. */
function shares(p: Plain, indices: Value, weights: Value, experts: number): Value {
  const [s = 1, k = 1] = p.dims(weights);
  const spread = p.select(oneHot(p, indices, experts), p.reshape(weights, [s, k, 1]), p.scalar(0));
  return p.reshape(p.sum(spread, 1), [s, experts]);
}

export const expert: Decomposition<"expert"> = (p, node) => {
  const [x, indices, weights] = [operand(node, 0), operand(node, 1), operand(node, 2)];
  const { index } = node.attrs;
  const share = p.slice(shares(p, indices, weights, index + 1), 1, index, index + 1);
  const hidden = gated(p, project(p, x, operand(node, 3)), project(p, x, operand(node, 4)));
  return [p.mul(project(p, hidden, operand(node, 5)), share)];
};

/** Every expert over every token, then the weighted sum: right, and as dear as it sounds. */
export const experts: Decomposition<"experts"> = (p, node) => {
  const [x, indices, weights] = [operand(node, 0), operand(node, 1), operand(node, 2)];
  const [gateUp, down] = [operand(node, 3), operand(node, 4)];
  const [s = 1, width = 1] = p.dims(x);
  const count = size(gateUp, 0);
  const inputs = p.broadcast(x, [count, s, width]);
  const hidden = gatedHalves(p, p.matmul(inputs, p.turned(gateUp)));
  const outputs = p.matmul(hidden, p.turned(down));
  const share = p.reshape(p.transpose(shares(p, indices, weights, count), [1, 0]), [count, s, 1]);
  return [p.reshape(p.sum(p.mul(outputs, share), 0), [s, width])];
};
