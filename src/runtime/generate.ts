import { setImmediate } from "node:timers/promises";
import type { Random } from "../support/random.ts";
import { sample, type Sampling } from "./sampling.ts";
import type { Feeding, LogitsSink, Sequence } from "./session.ts";

export type GenerateOptions = {
  /** At most this many new tokens. */
  readonly tokens: number;
  readonly sampling: Sampling;
  readonly random: Random;
  /** Tokens that end the text; the one that did is the last. */
  readonly stop: readonly number[];
  readonly by: Feeding;
  /** Sees the logits of the prompt's positions. */
  readonly onPrompt?: LogitsSink;
};

/**
 * The continuation of a prompt, token by token. Between tokens other work has its turn, so that text streams out and
 * an interrupt is heard. Ends early at a `stop` token or where the plan's context is full.
 */
export async function* generate(
  sequence: Sequence,
  prompt: readonly number[],
  options: GenerateOptions,
): AsyncGenerator<number> {
  const { sampling, random, stop } = options;
  let next: number | undefined;
  await sequence.feed(prompt, options.by, (logits, position) => {
    options.onPrompt?.(logits, position);
    if (position === prompt.length - 1) next = sample(logits, sampling, random);
  });
  for (let made = 0; made < options.tokens && next !== undefined;) {
    const token: number = next;
    yield token;
    made++;
    await setImmediate();
    if (made === options.tokens || stop.includes(token) || sequence.past() === sequence.context) return;
    await sequence.feed([token], "decode", (logits) => (next = sample(logits, sampling, random)));
  }
}
