import type { Random } from "../../support/random.ts";

/** A thing that is searched for, what it costs, and one change at a time that can be taken back. */
export type Trial<T> = {
  readonly cost: () => number;
  readonly isLegal: () => boolean;
  /** Make a random change and give what undoes it; undefined where the one thought of is none. */
  readonly change: (random: Random) => (() => void) | undefined;
  readonly state: () => T;
};

/** How many changes are tried, and the share of its cost that a state may lose by one, at the beginning and at the end. */
export type Cooling = { readonly tries: number; readonly hot: number; readonly cold: number };

/**
 * The cheapest legal state that simulated annealing comes by (Kirkpatrick, Gelatt and Vecchi, "Optimization by Simulated Annealing", 1983);
 * undefined where it comes by none.
 */
export function anneal<T>(trial: Trial<T>, { tries, hot, cold }: Cooling, random: Random): T | undefined {
  let cost = trial.cost();
  let best = trial.isLegal() ? { cost, state: trial.state() } : undefined;
  const warmth = cost * hot;
  for (let i = 0; i < tries; i++) {
    const heat = warmth * (cold / hot) ** (i / tries);
    const undo = trial.change(random);
    if (!undo) continue;
    const next = trial.cost();
    if (next > cost && random.float() >= Math.exp((cost - next) / heat)) {
      undo();
      continue;
    }
    cost = next;
    if ((!best || cost < best.cost) && trial.isLegal()) best = { cost, state: trial.state() };
  }
  return best?.state;
}
