import type { attentionOps } from "../../ir/ops/attention.ts";
import { dot } from "./linear.ts";
import { need, shapeAt, type Kernel } from "../kernel.ts";
import { softmaxInPlace } from "./norm.ts";
import { floats, type Tensor } from "../tensor.ts";

/** Causal attention: query s stands at position T - S + s and sees keys 0 to there; with a mask all keys, their scores moved by it. */
function attention(
  [q, k, v, mask]: readonly [Tensor, Tensor, Tensor, Tensor | undefined],
  scale: number,
  shape: readonly number[],
): Tensor {
  const [s = 1, heads = 1, dim = 1] = q.shape;
  const [t = 1, groups = 1] = k.shape;
  const width = v.shape[2] ?? 1;
  const out = floats(shape);
  const scores = new Float64Array(t);
  for (let row = 0; row < s; row++)
    for (let head = 0; head < heads; head++) {
      const group = Math.floor(head / (heads / groups));
      const seen = mask ? t : t - s + row + 1;
      for (let j = 0; j < seen; j++) {
        const score =
          scale * dot(q.data, (row * heads + head) * dim, k.data, (j * groups + group) * dim, dim);
        // As float32: what is masked by a large number must drown in it, or rows that see nothing would tell their scores.
        scores[j] = mask ? Math.fround(score + (mask.data[row * t + j] ?? 0)) : score;
      }
      softmaxInPlace(scores, 0, seen);
      const to = (row * heads + head) * width;
      for (let i = 0; i < width; i++) {
        let sum = 0;
        for (let j = 0; j < seen; j++)
          sum += (scores[j] ?? 0) * (v.data[(j * groups + group) * width + i] ?? 0);
        out.data[to + i] = sum;
      }
    }
  return out;
}

export const attentionKernels: { readonly [K in keyof typeof attentionOps]: Kernel<K> } = {
  rope: (operands, { attrs: { pairs, scale } }) => {
    const [x, positions, invFreq] = [need(operands, 0), need(operands, 1), need(operands, 2)];
    const [, heads = 1, dim = 2] = x.shape;
    const out = floats(x.shape);
    for (let at = 0; at < x.data.length; at += dim) {
      const position = positions.data[Math.floor(at / (heads * dim))] ?? 0;
      for (let j = 0; j < dim / 2; j++) {
        const angle = Math.fround(position * (invFreq.data[j] ?? 0));
        const [cos, sin] = [Math.cos(angle) * scale, Math.sin(angle) * scale];
        const [a, b] = pairs === "interleaved" ? [at + 2 * j, at + 2 * j + 1] : [at + j, at + j + dim / 2];
        const [xa, xb] = [x.data[a] ?? 0, x.data[b] ?? 0];
        out.data[a] = xa * cos - xb * sin;
        out.data[b] = xb * cos + xa * sin;
      }
    }
    return [out];
  },
  attention: (operands, call) => [
    attention(
      [need(operands, 0), need(operands, 1), need(operands, 2), operands[3]],
      call.attrs.scale,
      shapeAt(call),
    ),
  ],
  latentAttention: (operands, call) => {
    const [qNope, qRope, cache, w] = [0, 1, 2, 3].map((i) => need(operands, i)) as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ];
    const [s = 1, heads = 1, nope = 1] = qNope.shape;
    const rope = qRope.shape[2] ?? 1;
    const [, rows = 1, latent = 1] = w.shape;
    const [t = 1, width = 1] = cache.shape;
    const dim = nope + rope;
    const value = rows - nope;
    const q = floats([s, heads, dim]);
    for (let i = 0; i < s * heads; i++) {
      q.data.set(qNope.data.subarray(i * nope, (i + 1) * nope), i * dim);
      q.data.set(qRope.data.subarray(i * rope, (i + 1) * rope), i * dim + nope);
    }
    const k = floats([t, heads, dim]);
    const v = floats([t, heads, value]);
    for (let i = 0; i < t * heads; i++) {
      const [position, head] = [Math.floor(i / heads), i % heads];
      for (let r = 0; r < rows; r++) {
        const x = dot(w.data, (head * rows + r) * latent, cache.data, position * width, latent);
        if (r < nope) k.data[i * dim + r] = x;
        else v.data[i * value + r - nope] = x;
      }
      k.data.set(cache.data.subarray(position * width + latent, (position + 1) * width), i * dim + nope);
    }
    return [attention([q, k, v, operands[4]], call.attrs.scale, shapeAt(call))];
  },
};
