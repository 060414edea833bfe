import type { Value } from "../../src/ir/graph.ts";
import { subtractDims, type Dim } from "../../src/ir/dim.ts";
import { operand, size, type Decomposition, type Plain } from "./plain.ts";

/** [S, T]: whether query s, which stands at T - S + s, sees key t. The past is seen by all. */
function causalMask(p: Plain, s: Dim, t: Dim): Value {
  const own = p.compare(p.iota([s, s], 1), "lessOrEqual", p.iota([s, s], 0));
  const past = subtractDims(t, s);
  if (past === 0) return own;
  const zeros = p.iota([s, past, 1], 2);
  const all = p.reshape(p.compare(zeros, "equal", zeros), [s, past]);
  return p.concat([all, own], 1);
}

/** Queries [S, heads, dim] over keys [T, heads, dim] and values [T, heads, width]: causal, or by a mask. */
function attend(p: Plain, q: Value, k: Value, v: Value, mask: Value | undefined, scale: number): Value {
  const [s = 1] = p.dims(q);
  const [t = 1] = p.dims(k);
  const scores = p.scale(p.matmul(p.transpose(q, [1, 0, 2]), p.transpose(k, [1, 2, 0])), scale);
  const masked = mask ? p.add(scores, mask) : p.select(causalMask(p, s, t), scores, p.scalar(-Infinity));
  const shares = p.softmax(masked);
  return p.transpose(p.matmul(shares, p.transpose(v, [1, 0, 2])), [1, 0, 2]);
}

/** Each key head stands for as many query heads as share it: [T, groups, n] to [T, heads, n]. */
function repeatHeads(p: Plain, x: Value, heads: number): Value {
  const [t = 1, groups = 1, n = 1] = p.dims(x);
  const share = heads / Number(groups);
  if (share === 1) return x;
  const wide = p.broadcast(p.reshape(x, [t, groups, 1, n]), [t, groups, share, n]);
  return p.reshape(wide, [t, heads, n]);
}

export const attention: Decomposition<"attention"> = (p, node) => {
  const [q, k, v] = [operand(node, 0), operand(node, 1), operand(node, 2)];
  const heads = size(q, 1);
  return [
    attend(p, q, repeatHeads(p, k, heads), repeatHeads(p, v, heads), node.operands[3], node.attrs.scale),
  ];
};

export const latentAttention: Decomposition<"latentAttention"> = (p, node) => {
  const [qNope, qRope, cache, w] = [operand(node, 0), operand(node, 1), operand(node, 2), operand(node, 3)];
  const [t = 1] = p.dims(cache);
  const [heads, rows, latent] = [size(w, 0), size(w, 1), size(w, 2)];
  const [nope, rope] = [size(qNope, 2), size(qRope, 2)];
  const latents = p.broadcast(p.slice(cache, 1, 0, latent), [heads, t, latent]);
  const kv = p.transpose(p.matmul(latents, p.turned(w)), [1, 0, 2]);
  const tail = p.reshape(p.slice(cache, 1, latent, latent + rope), [t, 1, rope]);
  const k = p.concat([p.slice(kv, 2, 0, nope), p.broadcast(tail, [t, heads, rope])], 2);
  const q = p.concat([qNope, qRope], 2);
  return [attend(p, q, k, p.slice(kv, 2, nope, rows), node.operands[4], node.attrs.scale)];
};

export const rope: Decomposition<"rope"> = (p, node) => {
  const x = operand(node, 0);
  const [s = 1, heads = 1] = p.dims(x);
  const dim = size(x, 2);
  const half = dim / 2;
  const positions = p.reshape(p.cast(operand(node, 1), "f32"), [s, 1, 1]);
  const angles = p.mul(positions, p.reshape(operand(node, 2), [1, 1, half]));
  const turn = (op: "cos" | "sin") => p.scale(p.unary(op, angles), node.attrs.scale);
  const [cos, sin] = [turn("cos"), turn("sin")];
  const interleaved = node.attrs.pairs === "interleaved";
  const pairs = interleaved ? p.reshape(x, [s, heads, half, 2]) : x;
  const part = (i: 0 | 1): Value =>
    interleaved
      ? p.reshape(p.slice(pairs, 3, i, i + 1), [s, heads, half])
      : p.slice(pairs, 2, i * half, (i + 1) * half);
  const [a, b] = [part(0), part(1)];
  const turned = [p.sub(p.mul(a, cos), p.mul(b, sin)), p.add(p.mul(b, cos), p.mul(a, sin))];
  if (!interleaved) return [p.concat(turned, 2)];
  const columns = turned.map((it) => p.reshape(it, [s, heads, half, 1]));
  return [p.reshape(p.concat(columns, 3), [s, heads, dim])];
};

export const cacheAppend: Decomposition<"cacheAppend"> = (p, node) => [
  p.concat([operand(node, 0), operand(node, 1)], 0),
];
