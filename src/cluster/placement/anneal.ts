import type { Random } from "../../support/random.ts";

/** A thing that is searched for, what it costs, and one change at a time that can be taken back. */
export type Trial<T> = {
  /** The part of the cost that is soon reckoned. */
  readonly cost: () => number;
  /** How far it is outside its limits; 0 where it is legal. */
  readonly over: () => number;
  /** Make a random change and give what undoes it; undefined where the one thought of is none. */
  readonly change: (random: Random) => (() => void) | undefined;
  /** The rest of the cost, reckoned anew. */
  readonly settle: () => number;
  /** What a change that is made may take from the rest, once that is settled. */
  readonly hope: () => number;
  /** What has been found; undefined where it cannot be completed. */
  readonly state: () => T | undefined;
};

/**
 * How many changes are tried; the share of its cost that a state may lose by one, at the beginning and at the end; and what a unit outside
 * the limits costs, in the first state's cost.
 */
export type Cooling = {
  readonly tries: number;
  readonly hot: number;
  readonly cold: number;
  readonly soft: number;
  readonly hard: number;
};

/** Changes between two states that are looked at closely. */
const pause = 100;

/**
 * The cheapest legal state that simulated annealing comes by (Kirkpatrick, Gelatt and Vecchi, "Optimization by Simulated Annealing", 1983), its limits
 * becoming harder as it cools; undefined where it comes by none.
 */
export function anneal<T>(trial: Trial<T>, cooling: Cooling, random: Random): T | undefined {
  const { tries, hot, cold, soft, hard } = cooling;
  let rest = trial.settle();
  let [cost, over, looked] = [trial.cost() + rest, trial.over(), -pause];
  let best: { readonly cost: number; readonly state: T } | undefined;
  const look = (i: number): void => {
    if (over > 0 || (best && cost >= best.cost) || i < looked + pause) return;
    looked = i;
    const state = trial.state();
    if (state !== undefined) best = { cost, state };
  };
  look(0);
  const first = cost;
  for (let i = 0; i < tries; i++) {
    const heat = first * hot * (cold / hot) ** (i / tries);
    const price = first * soft * (hard / soft) ** (i / tries);
    const undo = trial.change(random);
    if (!undo) continue;
    const allowed = cost + price * over - heat * Math.log(1 - random.float());
    const outside = trial.over();
    const soon = trial.cost() + price * outside;
    if (soon + rest - trial.hope() > allowed) {
      undo();
      continue;
    }
    const settled = trial.settle();
    if (soon + settled > allowed) {
      undo();
      continue;
    }
    rest = settled;
    over = outside;
    cost = soon - price * outside + rest;
    look(i);
  }
  return best?.state;
}
