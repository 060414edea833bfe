import { setImmediate } from "node:timers/promises";
import type { Session } from "../session.ts";

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
  let done = 0;
  const surprises = await session.spread(windows, async (sequence, ids) => {
    const own: number[] = [];
    await sequence.feed(ids, "prefill", (logits, position) => {
      const target = ids[position + 1];
      if (target !== undefined) own.push(surprise(logits, target));
    });
    onWindow(++done);
    await setImmediate();
    return own;
  });
  // Summed in the order of the windows, whichever ends first.
  let total = 0;
  for (const own of surprises) for (const it of own) total += it;
  const predictions = surprises.reduce((n, own) => n + own.length, 0);
  const tokens = windows.reduce((n, ids) => n + ids.length, 0);
  return { perplexity: Math.exp(total / predictions), predictions, tokens, windows: windows.length };
}
