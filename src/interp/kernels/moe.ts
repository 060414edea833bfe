import type { OpAttrs } from "../../ir/ops/index.ts";
import type { moeOps } from "../../ir/ops/moe.ts";
import { sigmoid } from "./elementwise.ts";
import { need, shapeAt, type Kernel } from "../kernel.ts";
import { dot } from "./linear.ts";
import { softmaxInPlace } from "./norm.ts";
import { best } from "./select.ts";
import { floats, type Tensor } from "../tensor.ts";

export const silu = (x: number): number => x * sigmoid(x);

/** The experts one token may choose from: those of the best groups keep their score. */
function inBestGroups(choice: readonly number[], a: OpAttrs<"router">): readonly number[] {
  if (a.groups === 1) return choice;
  const size = choice.length / a.groups;
  const scores = Array.from({ length: a.groups }, (_, g) => {
    const group = choice.slice(g * size, (g + 1) * size).sort((x, y) => y - x);
    return (group[0] ?? 0) + (a.groupScore === "top2" ? (group[1] ?? 0) : 0);
  });
  const kept = new Set(best(scores, a.topGroups));
  return choice.map((c, i) => (kept.has(Math.floor(i / size)) ? c : -Infinity));
}

/** Add `share` times one expert's answer to a row of x: down(silu(gate x) * up x). Matrices start at the given places. */
function addExpert(
  x: Tensor,
  row: number,
  share: number,
  gate: readonly [Tensor, number],
  up: readonly [Tensor, number],
  down: readonly [Tensor, number],
  inner: number,
  out: Tensor,
): void {
  const width = x.shape[1] ?? 1;
  const hidden = new Float32Array(inner);
  for (let i = 0; i < inner; i++) {
    const g = dot(gate[0].data, gate[1] + i * width, x.data, row * width, width);
    hidden[i] = silu(g) * dot(up[0].data, up[1] + i * width, x.data, row * width, width);
  }
  for (let j = 0; j < width; j++) {
    const y = dot(down[0].data, down[1] + j * inner, hidden, 0, inner);
    out.data[row * width + j] = (out.data[row * width + j] ?? 0) + share * y;
  }
}

export const moeKernels: { readonly [K in keyof typeof moeOps]: Kernel<K> } = {
  swiglu: (operands) => {
    const [gate, up] = [need(operands, 0), need(operands, 1)];
    return [
      floats(
        gate.shape,
        Float32Array.from(gate.data, (g, i) => silu(g) * (up.data[i] ?? 0)),
      ),
    ];
  },
  swigluPacked: (operands, call) => {
    const x = need(operands, 0);
    const shape = shapeAt(call);
    const n = shape.at(-1) ?? 1;
    const out = floats(shape);
    for (let i = 0; i < out.data.length; i++) {
      const at = Math.floor(i / n) * 2 * n + (i % n);
      out.data[i] = silu(x.data[at] ?? 0) * (x.data[at + n] ?? 0);
    }
    return [out];
  },
  router: (operands, call) => {
    const [logits, bias] = [need(operands, 0), operands[1]];
    const { topK, scoring, normalize, scale } = call.attrs;
    const [s = 1, experts = 1] = logits.shape;
    const indices = new Int32Array(s * topK);
    const weights = new Float32Array(s * topK);
    for (let row = 0; row < s; row++) {
      const scores = Float64Array.from(logits.data.subarray(row * experts, (row + 1) * experts));
      if (scoring === "softmax") softmaxInPlace(scores, 0, experts);
      else scores.forEach((x, i) => (scores[i] = sigmoid(x)));
      const choice = Array.from(scores, (x, i) => x + (bias?.data[i] ?? 0));
      const picks = best(inBestGroups(choice, call.attrs), topK);
      const sum = picks.reduce((total, e) => total + (scores[e] ?? 0), 0);
      picks.forEach((e, i) => {
        indices[row * topK + i] = e;
        weights[row * topK + i] = ((scores[e] ?? 0) / (normalize ? sum + 1e-20 : 1)) * scale;
      });
    }
    const shape = shapeAt(call);
    return [{ dtype: "i32", shape, data: indices }, floats(shape, weights)];
  },
  expert: (operands, call) => {
    const [x, indices, weights, gate, up, down] = [0, 1, 2, 3, 4, 5].map((i) => need(operands, i)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const k = indices.shape[1] ?? 1;
    const out = floats(x.shape);
    for (let slot = 0; slot < indices.data.length; slot++) {
      if (indices.data[slot] !== call.attrs.index) continue;
      const inner = gate.shape[0] ?? 1;
      addExpert(x, Math.floor(slot / k), weights.data[slot] ?? 0, [gate, 0], [up, 0], [down, 0], inner, out);
    }
    return [out];
  },
  expertHidden: (operands, call) => {
    const [x, indices, gateUp] = [need(operands, 0), need(operands, 1), need(operands, 2)];
    const [, inner2 = 2, width = 1] = gateUp.shape;
    const inner = inner2 / 2;
    const k = indices.shape[1] ?? 1;
    const out = floats(shapeAt(call));
    for (let i = 0; i < out.data.length; i++) {
      const slot = Math.floor(i / inner);
      const row = Math.floor(slot / k) * width;
      const at = ((indices.data[slot] ?? 0) * inner2 + (i % inner)) * width;
      const gate = dot(gateUp.data, at, x.data, row, width);
      out.data[i] = silu(gate) * dot(gateUp.data, at + inner * width, x.data, row, width);
    }
    return [out];
  },
  experts: (operands) => {
    const [x, indices, weights, gateUp, down] = [0, 1, 2, 3, 4].map((i) => need(operands, i)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const k = indices.shape[1] ?? 1;
    const [, width = 1, inner = 1] = down.shape;
    const out = floats(x.shape);
    for (let slot = 0; slot < indices.data.length; slot++) {
      const e = indices.data[slot] ?? 0;
      if (e < 0) continue;
      const first = e * 2 * inner * width;
      addExpert(
        x,
        Math.floor(slot / k),
        weights.data[slot] ?? 0,
        [gateUp, first],
        [gateUp, first + inner * width],
        [down, e * width * inner],
        inner,
        out,
      );
    }
    return [out];
  },
};
