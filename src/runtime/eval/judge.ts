import { setImmediate } from "node:timers/promises";
import { surprise, type Perplexity } from "./perplexity.ts";
import type { Sequence, Session } from "../session.ts";

/** How a plan's answers compare with a reference's. */
export type Judgement = Perplexity & {
  readonly referencePerplexity: number;
  /** Mean over predictions of KL(reference || plan), in nats. */
  readonly kl: number;
  /** Share of predictions whose most likely token is the reference's. */
  readonly top1Agreement: number;
  /** Share of (token, layer) pairs whose set of experts is the reference's; 1 where there are no experts. */
  readonly routingAgreement: number;
  /** The same for each layer of experts. */
  readonly routingAgreementByLayer: readonly number[];
};

/** Sums over predictions and tokens. Those of several texts add up. */
export type Tally = {
  kl: number;
  same: number;
  surprise: number;
  referenceSurprise: number;
  predictions: number;
  tokens: number;
  windows: number;
  /** Tokens whose experts agree, by layer. */
  readonly agreeing: number[];
};

export const emptyTally = (): Tally => ({
  kl: 0,
  same: 0,
  surprise: 0,
  referenceSurprise: 0,
  predictions: 0,
  tokens: 0,
  windows: 0,
  agreeing: [],
});

/** Add what one tally holds to another. */
export function addTally(into: Tally, it: Tally): void {
  for (const key of [
    "kl",
    "same",
    "surprise",
    "referenceSurprise",
    "predictions",
    "tokens",
    "windows",
  ] as const)
    into[key] += it[key];
  it.agreeing.forEach((n, layer) => (into.agreeing[layer] = (into.agreeing[layer] ?? 0) + n));
}

export function judgement(tally: Tally): Judgement {
  const { predictions, tokens, windows } = tally;
  const byLayer = tally.agreeing.map((n) => n / tokens);
  return {
    perplexity: Math.exp(tally.surprise / predictions),
    predictions,
    tokens,
    windows,
    referencePerplexity: Math.exp(tally.referenceSurprise / predictions),
    kl: tally.kl / predictions,
    top1Agreement: tally.same / predictions,
    routingAgreement: byLayer.length > 0 ? byLayer.reduce((a, b) => a + b) / byLayer.length : 1,
    routingAgreementByLayer: byLayer,
  };
}

/** One window's logits and the experts each token went to. */
type Answers = { readonly logits: Float32Array; readonly chosen: readonly Set<number>[][] };

async function answers(sequence: Sequence, ids: readonly number[]): Promise<Answers> {
  const logits = new Float32Array(ids.length * sequence.vocab);
  const chosen: Set<number>[][] = [];
  await sequence.feed(
    ids,
    "prefill",
    (row, position) => logits.set(row, position * sequence.vocab),
    (layer, experts) => (chosen[layer] ??= []).push(new Set(experts)),
  );
  return { logits, chosen };
}

/**
 * Judge a plan on windows, each scored on its own; the logits of as many are held as run at once. `onWindow` hears of each window
 * done.
 */
export async function judge(
  plan: Session,
  reference: Session,
  windows: readonly (readonly number[])[],
  onWindow: (done: number) => void = () => {},
): Promise<Tally> {
  const tally = emptyTally();
  const atOnce = Math.max(plan.width, reference.width);
  for (let at = 0; at < windows.length; at += atOnce) {
    const some = windows.slice(at, at + atOnce);
    const found = await plan.spread(some, answers);
    const expected = await reference.spread(some, answers);
    for (const [i, ids] of some.entries()) {
      const [own, other] = [found[i], expected[i]];
      if (own && other) compare(tally, ids, own, other, plan.vocab);
      onWindow(tally.windows);
      await setImmediate();
    }
  }
  return tally;
}

/** Add what two answers to a window say of each other. */
function compare(
  tally: Tally,
  ids: readonly number[],
  found: Answers,
  expected: Answers,
  vocab: number,
): void {
  for (let p = 0; p + 1 < ids.length; p++) {
    const row = (it: Answers) => it.logits.subarray(p * vocab, (p + 1) * vocab);
    score(tally, row(found), row(expected), ids[p + 1] ?? 0);
  }
  expected.chosen.forEach((tokens, layer) => {
    const agreeing = tokens.filter((set, t) => isSame(set, found.chosen[layer]?.[t])).length;
    tally.agreeing[layer] = (tally.agreeing[layer] ?? 0) + agreeing;
  });
  tally.tokens += ids.length;
  tally.windows++;
}

const isSame = (a: Set<number>, b: Set<number> | undefined): boolean =>
  b !== undefined && a.size === b.size && [...a].every((it) => b.has(it));

function score(tally: Tally, found: Float32Array, expected: Float32Array, target: number): void {
  const most = greatest(expected);
  // -ln p of one token gives the logarithm of the sum for all.
  const [sumFound, sumExpected] = [
    surprise(found, most) + (found[most] ?? 0),
    surprise(expected, most) + (expected[most] ?? 0),
  ];
  let kl = 0;
  for (let i = 0; i < expected.length; i++) {
    const [p, q] = [(expected[i] ?? 0) - sumExpected, (found[i] ?? 0) - sumFound];
    kl += Math.exp(p) * (p - q);
  }
  tally.kl += kl;
  tally.surprise += sumFound - (found[target] ?? NaN);
  tally.referenceSurprise += sumExpected - (expected[target] ?? NaN);
  if (greatest(found) === most) tally.same++;
  tally.predictions++;
}

function greatest(x: Float32Array): number {
  let at = 0;
  for (let i = 1; i < x.length; i++) if ((x[i] ?? 0) > (x[at] ?? 0)) at = i;
  return at;
}
