/** How the next token is chosen from the logits of one position. */
import type { Random } from "../support/random.ts";

export type Sampling = {
  /** 0 is greedy. */
  readonly temperature: number;
  /** Keep the fewest most likely tokens whose probabilities reach this sum; 1 keeps all. */
  readonly topP: number;
};

export const greedySampling: Sampling = { temperature: 0, topP: 1 };

/** The index of the largest logit; of equals, the lowest. NaN never wins. */
export function greedy(logits: ArrayLike<number>): number {
  let best = -1;
  let most = -Infinity;
  for (let i = 0; i < logits.length; i++) {
    const x = logits[i] ?? NaN;
    if (x > most || (best < 0 && x === most)) {
      most = x;
      best = i;
    }
  }
  if (best < 0) throw new Error("every logit is NaN"); // an engine's fault, never the user's
  return best;
}

/** Softmax at a temperature, in float64; unnormalized, the largest weight is 1. */
function weights(logits: ArrayLike<number>, temperature: number): Float64Array {
  const max = logits[greedy(logits)] ?? 0;
  const out = new Float64Array(logits.length);
  for (let i = 0; i < out.length; i++) {
    const x = logits[i] ?? NaN;
    const w = x === max ? 1 : Math.exp((x - max) / temperature); // equal infinities have no difference
    out[i] = Number.isNaN(w) ? 0 : w;
  }
  return out;
}

/** Draw from the weights at these indices. */
function draw(indices: ArrayLike<number>, w: Float64Array, random: Random): number {
  let total = 0;
  for (let i = 0; i < indices.length; i++) total += w[indices[i] ?? 0] ?? 0;
  let left = random.float() * total;
  let last = 0;
  for (let i = 0; i < indices.length; i++) {
    const at = indices[i] ?? 0;
    const x = w[at] ?? 0;
    if (x === 0) continue;
    last = at;
    if (left < x) return at;
    left -= x;
  }
  return last; // rounding let the remainder run past the end
}

/** Choose a token. The same logits, sampling and generator state give the same token on every host. */
export function sample(logits: ArrayLike<number>, sampling: Sampling, random: Random): number {
  if (sampling.temperature === 0) return greedy(logits);
  const w = weights(logits, sampling.temperature);
  const all = Uint32Array.from(w.keys());
  if (sampling.topP >= 1) return draw(all, w, random);
  all.sort((a, b) => (w[b] ?? 0) - (w[a] ?? 0) || a - b);
  const target = sampling.topP * w.reduce((sum, x) => sum + x, 0);
  let kept = 0;
  for (let sum = 0; kept < all.length && (kept === 0 || sum < target); kept++) sum += w[all[kept] ?? 0] ?? 0;
  return draw(all.subarray(0, kept), w, random);
}
