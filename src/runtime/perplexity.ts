import { setImmediate } from "node:timers/promises";
import type { Session } from "./session.ts";

/** How well a model foretells a text. */
export type Perplexity = {
  readonly perplexity: number;
  /** Predictions scored. */
  readonly predictions: number;
  /** Tokens of the windows scored, whether foretold or given. */
  readonly tokens: number;
  readonly windows: number;
};

/** −ln p(target) under a softmax of the logits, in float64. */
export function surprise(logits: Float32Array, target: number): number {
  let max = -Infinity;
  for (const x of logits) if (x > max) max = x;
  let sum = 0;
  for (const x of logits) sum += Math.exp(x - max);
  return Math.log(sum) + max - (logits[target] ?? NaN);
}

/** Cut ids into windows of `size`, the tail dropped, the first `most` of them. */
export function windowsOf(ids: readonly number[], size: number, most = Infinity): (readonly number[])[] {
  const count = Math.min(Math.floor(ids.length / size), most);
  return Array.from({ length: count }, (_, i) => ids.slice(i * size, (i + 1) * size));
}

/**
 * Perplexity of windows, each scored on its own: a window of N tokens gives N − 1 predictions.
 * `onWindow` hears of each window done.
 */
export async function perplexity(
  session: Session,
  windows: readonly (readonly number[])[],
  onWindow: (done: number) => void = () => {},
): Promise<Perplexity> {
  let total = 0;
  let predictions = 0;
  let tokens = 0;
  for (const [i, ids] of windows.entries()) {
    session.restart();
    await session.feed(ids, "prefill", (logits, position) => {
      const target = ids[position + 1];
      if (target === undefined) return;
      total += surprise(logits, target);
      predictions++;
    });
    tokens += ids.length;
    onWindow(i + 1);
    await setImmediate();
  }
  return { perplexity: Math.exp(total / predictions), predictions, tokens, windows: windows.length };
}
