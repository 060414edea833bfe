import { isOp, type Node, type NodeOf, type Value } from "../../ir/graph.ts";
import type { OpName } from "../../ir/ops/index.ts";
import { addColumns, columns, headBackward } from "./attention.ts";
import { expertsBackward, swigluBackward } from "./experts.ts";
import { rowsOf, transposed, sizesOf, type Gradients } from "./tape.ts";
import { addProduct } from "../products.ts";

/** How one operator passes the gradient of its first result, or of its results, back to its operands. */
type Rule<K extends OpName> = (
  node: NodeOf<K>,
  out: readonly Float32Array[],
  cx: Gradients,
  nodes: readonly Node[],
) => void;

const operand = (operands: readonly Value[], i: number): Value => {
  const value = operands[i];
  if (!value) throw new Error(`operand ${i} is absent`);
  return value;
};

function addTo(into: Float32Array, x: Float32Array): void {
  for (let i = 0; i < into.length; i++) into[i] = (into[i] ?? 0) + (x[i] ?? 0);
}

/** Elements before, along and behind one axis. */
function around(sizes: readonly number[], axis: number) {
  const product = (of: readonly number[]) => of.reduce((n, d) => n * d, 1);
  return {
    outer: product(sizes.slice(0, axis)),
    along: sizes[axis] ?? 1,
    inner: product(sizes.slice(axis + 1)),
  };
}

export const rules: { readonly [K in OpName]?: Rule<K> } = {
  add: ({ operands }, [out], cx) => {
    for (const of of operands) if (out) addTo(cx.into(of), out);
  },
  silu: ({ operands }, [out], cx) => {
    const x = operand(operands, 0);
    const [into, at] = [cx.into(x), cx.tape.forward(x)];
    for (let i = 0; i < into.length; i++) {
      const v = at[i] ?? 0;
      const s = 1 / (1 + Math.exp(-v));
      into[i] = (into[i] ?? 0) + (out?.[i] ?? 0) * (s + v * s * (1 - s));
    }
  },
  mul: ({ operands }, [out], cx) => {
    const [a, b] = [operand(operands, 0), operand(operands, 1)];
    const [x, y] = [cx.tape.forward(a), cx.tape.forward(b)];
    const [toA, toB] = [cx.into(a), cx.into(b)];
    for (let i = 0; i < toA.length; i++) {
      toA[i] = (toA[i] ?? 0) + (out?.[i] ?? 0) * (y[i] ?? 0);
      toB[i] = (toB[i] ?? 0) + (out?.[i] ?? 0) * (x[i] ?? 0);
    }
  },
  swiglu: ({ operands }, [out], cx) => {
    const [gate, up] = [operand(operands, 0), operand(operands, 1)];
    const floats = (v: Value) => Float32Array.from(cx.tape.forward(v));
    if (out) swigluBackward(floats(gate), floats(up), out, cx.into(gate), cx.into(up));
  },
  linear: ({ operands }, [out], cx) => {
    const [x, w] = [operand(operands, 0), operand(operands, 1)];
    const [to = 1, from = 1] = w.type.dims.map(Number);
    if (!out) return;
    cx.tell({ weight: w, rows: out, width: to });
    addProduct(cx.tape.products, cx.into(x), out, cx.tape.weight(w), to, from);
  },
  rmsNorm: ({ operands, attrs }, [out], cx) => {
    const [x, gain] = [operand(operands, 0), operand(operands, 1)];
    const [g, at, into] = [cx.tape.weight(gain), cx.tape.forward(x), cx.into(x)];
    const n = g.length;
    for (let row = 0; row < at.length; row += n) {
      let [squares, along] = [0, 0];
      for (let i = 0; i < n; i++) {
        const v = at[row + i] ?? 0;
        squares += v * v;
        along += (out?.[row + i] ?? 0) * (g[i] ?? 0) * v;
      }
      const scale = 1 / Math.sqrt(squares / n + attrs.eps);
      const pull = (along * scale * scale) / n;
      for (let i = 0; i < n; i++)
        into[row + i] =
          (into[row + i] ?? 0) + scale * ((out?.[row + i] ?? 0) * (g[i] ?? 0) - pull * (at[row + i] ?? 0));
    }
  },
  rope: ({ operands, attrs: { pairs, scale } }, [out], cx) => {
    const x = operand(operands, 0);
    const positions = cx.tape.forward(operand(operands, 1));
    const frequencies = cx.tape.weight(operand(operands, 2));
    const [, heads = 1, dim = 2] = sizesOf(x, cx.tape.tokens);
    const into = cx.into(x);
    for (let at = 0; at < into.length; at += dim) {
      const position = positions[Math.floor(at / (heads * dim))] ?? 0;
      for (let j = 0; j < dim / 2; j++) {
        const angle = Math.fround(position * (frequencies[j] ?? 0));
        const [cos, sin] = [Math.cos(angle) * scale, Math.sin(angle) * scale];
        const [a, b] = pairs === "interleaved" ? [at + 2 * j, at + 2 * j + 1] : [at + j, at + j + dim / 2];
        const [ga, gb] = [out?.[a] ?? 0, out?.[b] ?? 0];
        into[a] = (into[a] ?? 0) + ga * cos + gb * sin;
        into[b] = (into[b] ?? 0) + gb * cos - ga * sin;
      }
    }
  },
  reshape: ({ operands }, [out], cx) => {
    if (out) addTo(cx.into(operand(operands, 0)), out);
  },
  slice: ({ operands, results, attrs: { axis, begin } }, [out], cx) => {
    const x = operand(operands, 0);
    const { outer, along, inner } = around(sizesOf(x, cx.tape.tokens), axis);
    const taken = around(sizesOf(operand(results, 0), cx.tape.tokens), axis).along;
    const into = cx.into(x);
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < taken * inner; i++) {
        const at = (o * along + Number(begin)) * inner + i;
        into[at] = (into[at] ?? 0) + (out?.[o * taken * inner + i] ?? 0);
      }
  },
  concat: ({ operands, results, attrs: { axis } }, [out], cx) => {
    const whole = around(sizesOf(operand(results, 0), cx.tape.tokens), axis);
    let begin = 0;
    for (const part of operands) {
      const { outer, along, inner } = around(sizesOf(part, cx.tape.tokens), axis);
      const into = cx.into(part);
      for (let o = 0; o < outer; o++)
        for (let i = 0; i < along * inner; i++) {
          const at = o * along * inner + i;
          into[at] = (into[at] ?? 0) + (out?.[(o * whole.along + begin) * inner + i] ?? 0);
        }
      begin += along;
    }
  },
  gather: () => {},
  cacheAppend: ({ operands }, [out], cx) => {
    if (out) addTo(cx.into(operand(operands, 1)), out);
  },
  attention: ({ operands, attrs: { scale } }, [out], cx, nodes) => {
    const [q, k, v] = [0, 1, 2].map((i) => rowsOf(nodes, operand(operands, i))) as [Value, Value, Value];
    const [, heads = 1, dim = 1] = sizesOf(q, cx.tape.tokens);
    const [, groups = 1, width = 1] = sizesOf(v, cx.tape.tokens);
    const floats = (of: Value) => Float32Array.from(cx.tape.forward(of));
    const [qs, ks, vs] = [floats(q), floats(k), floats(v)];
    for (let h = 0; h < heads && out; h++) {
      const g = Math.floor(h / (heads / groups));
      const head = {
        q: columns(qs, heads * dim, h * dim, dim),
        k: columns(ks, groups * dim, g * dim, dim),
        v: columns(vs, groups * width, g * width, width),
        dim,
        width,
      };
      const to = headBackward(head, columns(out, heads * width, h * width, width), scale, cx.tape.products);
      addColumns(cx.into(q), heads * dim, h * dim, to.q, dim);
      addColumns(cx.into(k), groups * dim, g * dim, to.k, dim);
      addColumns(cx.into(v), groups * width, g * width, to.v, width);
    }
  },
  latentAttention: ({ operands, attrs: { scale } }, [out], cx, nodes) => {
    const [qNope, qRope, cache, w] = [0, 1, 2, 3].map((i) => operand(operands, i)) as [
      Value,
      Value,
      Value,
      Value,
    ];
    const { tokens } = cx.tape;
    const [, heads = 1, nope = 1] = sizesOf(qNope, tokens);
    const rope = Number(qRope.type.dims[2]);
    const [, rows = 1, latent = 1] = w.type.dims.map(Number);
    const kept = rowsOf(nodes, cache);
    const floats = (of: Value) => Float32Array.from(cx.tape.forward(of));
    const [qn, qr, c, weight] = [floats(qNope), floats(qRope), floats(kept), cx.tape.weight(w)];
    const stride = latent + rope;
    const [dim, width] = [nope + rope, rows - nope];
    const latents = columns(c, stride, 0, latent);
    const toLatents = new Float32Array(latents.length);
    const given = new Float32Array(tokens * heads * rows);
    for (let h = 0; h < heads && out; h++) {
      const at = h * rows * latent;
      const kv = new Float32Array(tokens * rows);
      addProduct(cx.tape.products, kv, latents, transposed(weight, at, rows, latent), latent, rows);
      const head = { q: new Float32Array(tokens * dim), k: new Float32Array(tokens * dim), v: new Float32Array(tokens * width), dim, width }; // prettier-ignore
      for (let t = 0; t < tokens; t++) {
        head.q.set(qn.subarray((t * heads + h) * nope, (t * heads + h + 1) * nope), t * dim);
        head.q.set(qr.subarray((t * heads + h) * rope, (t * heads + h + 1) * rope), t * dim + nope);
        head.k.set(kv.subarray(t * rows, t * rows + nope), t * dim);
        head.v.set(kv.subarray(t * rows + nope, (t + 1) * rows), t * width);
        head.k.set(c.subarray(t * stride + latent, (t + 1) * stride), t * dim + nope);
      }
      const to = headBackward(head, columns(out, heads * width, h * width, width), scale, cx.tape.products);
      addColumns(cx.into(qNope), heads * nope, h * nope, columns(to.q, dim, 0, nope), nope);
      addColumns(cx.into(qRope), heads * rope, h * rope, columns(to.q, dim, nope, rope), rope);
      addColumns(cx.into(kept), stride, latent, columns(to.k, dim, nope, rope), rope);
      const own = new Float32Array(tokens * rows);
      addColumns(own, rows, 0, columns(to.k, dim, 0, nope), nope);
      addColumns(own, rows, nope, to.v, width);
      addColumns(given, heads * rows, h * rows, own, rows);
      addProduct(cx.tape.products, toLatents, own, weight, rows, latent, at);
    }
    addColumns(cx.into(kept), stride, 0, toLatents, latent);
    cx.tell({ weight: w, rows: given, width: heads * rows });
  },
  router: ({ operands, results, attrs: { scoring, normalize, scale } }, [, out], cx) => {
    const logits = operand(operands, 0);
    const [at, into] = [cx.tape.forward(logits), cx.into(logits)];
    const chosen = cx.tape.forward(operand(results, 0));
    const n = Number(logits.type.dims[1]);
    const k = chosen.length / cx.tape.tokens;
    const scores = new Float64Array(n);
    const back = new Float64Array(n);
    for (let t = 0; t < cx.tape.tokens && out; t++) {
      let most = -Infinity;
      for (let i = 0; i < n; i++) most = Math.max(most, at[t * n + i] ?? 0);
      let total = 0;
      for (let i = 0; i < n; i++) {
        const x = at[t * n + i] ?? 0;
        total += scores[i] = scoring === "softmax" ? Math.exp(x - most) : 1 / (1 + Math.exp(-x));
      }
      if (scoring === "softmax") for (let i = 0; i < n; i++) scores[i] = (scores[i] ?? 0) / total;
      back.fill(0);
      let [sum, along] = [normalize ? 1e-20 : 1, 0];
      for (let j = 0; j < k; j++) {
        const s = scores[chosen[t * k + j] ?? 0] ?? 0;
        if (normalize) sum += s;
        along += s * (out[t * k + j] ?? 0);
      }
      for (let j = 0; j < k; j++)
        back[chosen[t * k + j] ?? 0] =
          (scale * ((out[t * k + j] ?? 0) - (normalize ? along / sum : 0))) / sum;
      let mean = 0;
      for (let i = 0; i < n; i++) mean += (back[i] ?? 0) * (scores[i] ?? 0);
      for (let i = 0; i < n; i++) {
        const s = scores[i] ?? 0;
        const g = scoring === "softmax" ? s * ((back[i] ?? 0) - mean) : s * (1 - s) * (back[i] ?? 0);
        into[t * n + i] = (into[t * n + i] ?? 0) + g;
      }
    }
  },
  experts: ({ operands }, [out], cx) => {
    const [x, indices, shares, gateUp, down] = operands;
    if (out && x && indices && shares && gateUp && down)
      expertsBackward([x, indices, shares, gateUp, down], out, cx);
  },
};

/** The values that must be known from the way forward. */
export function reads(node: Node, nodes: readonly Node[]): readonly Value[] {
  const first = (n: number) => node.operands.slice(0, n);
  switch (node.op) {
    case "silu":
    case "rmsNorm":
      return first(1);
    case "rope":
      return node.operands.slice(1, 2);
    case "mul":
    case "swiglu":
      return first(2);
    case "router":
      return [...first(1), ...node.results.slice(0, 1)];
    case "attention":
    case "latentAttention":
      return first(3).map((v) => rowsOf(nodes, v));
    case "experts":
      return first(3);
    default:
      return [];
  }
}

const isFree = (node: Node): boolean =>
  isOp(node, "weight") || isOp(node, "constant") || isOp(node, "extent");

/** The first operator that gradients cannot pass, or undefined. */
export const withoutRule = (nodes: readonly Node[]): OpName | undefined =>
  nodes.find((n) => !isFree(n) && !rules[n.op])?.op;

/** Walk nodes from the last to the first, from the gradients of what they give to those of what they read. */
export function backward(
  nodes: readonly Node[],
  tape: Gradients["tape"],
  given: ReadonlyMap<Value, Float32Array>,
  tell: Gradients["tell"],
): (value: Value) => Float32Array {
  const found = new Map<Value, Float32Array>(given);
  const into = (value: Value): Float32Array => {
    const known = found.get(value);
    if (known) return known;
    const made = new Float32Array(sizesOf(value, tape.tokens).reduce((n, d) => n * d, 1));
    found.set(value, made);
    return made;
  };
  const cx: Gradients = { tape, into, tell };
  for (const node of nodes.toReversed()) {
    const rule = rules[node.op] as Rule<OpName> | undefined; // the key and the node are of one operator
    if (!rule || !node.results.some((v) => found.has(v))) continue;
    rule(node as NodeOf<OpName>, node.results.map(into), cx, nodes);
  }
  return into;
}
