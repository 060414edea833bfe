/** What placement searches: bins of slots, the load on each, and the messages between nodes. A bin is a device, or a whole node. */
import type { Random } from "../../support/random.ts";
import { holders, type LayerMap } from "../expert-map.ts";
import type { Trial } from "./anneal.ts";
import { balanceOf, type Balance } from "./balance.ts";
import type { RoutedSets } from "./routing.ts";
import { trafficOf, type Traffic } from "./traffic.ts";

/** What a layer is placed by. */
export type Evidence = {
  /** How often each expert was taken in all. */
  readonly loads: ArrayLike<number>;
  /** The same in stretches of the text; may be none. */
  readonly stretches: readonly ArrayLike<number>[];
  /** Which experts are taken together, where it is known. */
  readonly sets?: RoutedSets;
};

export type Bins = {
  /** The node of each bin. */
  readonly nodes: readonly number[];
  /** Copies of one expert that a bin may hold. */
  readonly copiesInBin: number;
  /** Bins of the placement that is meant in the end: what a copy of an expert must fit into. */
  readonly devices: number;
  /** How full the fullest bin may be over the mean, on the whole text. */
  readonly limit: number;
  /** How full it had better not be on average over the stretches. */
  readonly meanLimit: number;
  /** What a message between nodes costs, in tokens through one expert; 0 where it does not matter. */
  readonly messageCost: number;
  /** Whether experts stay in their nodes. */
  readonly staysInNode: boolean;
};

/** Where stretches are not known: how many a text is taken to have, and how far a device's load moves between them. */
const [usualStretches, usualScatter] = [8, 0.03];

/** How dearly each part of a mean load over its limit is paid for. */
const overMean = 20;

/** The share of the messages of the tokens it touches that a change may save; few come near. */
const mostSaved = 0.1;

/**
 * Begin with a placement. Its cost is the time of a step per token, in tokens through one expert: the fullest bin, on average over the
 * stretches, and the messages. `complete` makes of it what is sought.
 */
export function trialOf(
  start: LayerMap,
  by: Evidence,
  bins: Bins,
  complete: (layer: LayerMap) => LayerMap | undefined = (layer) => layer,
): Trial<LayerMap> {
  const experts = by.loads.length;
  const balance = balanceOf(start, [by.loads, ...by.stretches]);
  const traffic = by.sets && bins.messageCost > 0 ? trafficFrom(start, by.sets, experts, bins) : undefined;
  const visits = by.sets?.k ?? 1;
  // A copy is on one device, whatever the bin: over the mean device it must keep the limit as well.
  const copyScale = bins.devices / start.length;
  const fullest = (): number =>
    copyScale > 1 ? Math.max(balance.peak(0), balance.heaviestCopy() * copyScale) : balance.peak(0);
  // Counts scatter by their roots: the variance of a device's load is the sum of its copies' shares over the copies.
  const deviations = Math.sqrt(2 * Math.log(start.length));
  const stretchTokens = Math.max(1, Array.from(by.loads).reduce((a, b) => a + b, 0) / usualStretches);
  const changes = changesOf(balance, bins, traffic);
  return {
    cost: () => {
      let mean = 0;
      for (let c = 1; c < balance.cases; c++) mean += balance.peak(c);
      const expected =
        balance.cases > 1
          ? mean / (balance.cases - 1)
          : balance.softPeak(0, usualScatter) + deviations * Math.sqrt(balance.copyLoads() / stretchTokens);
      const strained = expected + overMean * Math.max(0, expected - bins.meanLimit);
      return visits * strained;
    },
    over: () => Math.max(0, fullest() - bins.limit),
    change: (random) => {
      traffic?.begin();
      const slot = likelySlot(balance, random);
      return !bins.staysInNode && balance.copies(balance.expertAt(slot)) > 1 && random.below(2) === 0
        ? changes.replace(slot, random.below(experts))
        : changes.swap(slot, random.below(balance.slots));
    },
    hope: () => mostSaved * bins.messageCost * (traffic?.touched() ?? 0),
    settle: () => {
      traffic?.update();
      return bins.messageCost * (traffic?.perToken() ?? 0);
    },
    state: () => complete(balance.layer()),
  };
}

function trafficFrom(start: LayerMap, sets: RoutedSets, experts: number, { nodes }: Bins): Traffic {
  const at = holders(start, experts).map((bins) => bins.map((bin) => nodes[bin] ?? 0));
  return trafficOf(sets, at, new Set(nodes).size);
}

/** A slot; every other time one of the fullest bin of some case. */
function likelySlot(balance: Balance, random: Random): number {
  if (random.below(2) === 0) return random.below(balance.slots);
  const [first, count] = balance.slotsOn(balance.fullest(random.below(balance.cases)));
  return first + random.below(Math.max(1, count));
}

type Change = (slot: number, what: number) => (() => void) | undefined;

function changesOf(
  balance: Balance,
  { nodes, copiesInBin, staysInNode }: Bins,
  traffic: Traffic | undefined,
): { readonly swap: Change; readonly replace: Change } {
  const nodeOf = (slot: number): number => nodes[balance.deviceOf(slot)] ?? 0;
  const isFull = (slot: number, expert: number): boolean =>
    balance.heldBy(balance.deviceOf(slot), expert) >= copiesInBin;
  const exchange = (a: number, b: number): void => {
    const [x, y, here, there] = [balance.expertAt(a), balance.expertAt(b), nodeOf(a), nodeOf(b)];
    balance.swap(a, b);
    if (!traffic || here === there) return;
    traffic.shift(x, here, -1);
    traffic.shift(x, there, 1);
    traffic.shift(y, there, -1);
    traffic.shift(y, here, 1);
  };
  const put = (slot: number, expert: number): void => {
    traffic?.shift(balance.expertAt(slot), nodeOf(slot), -1);
    traffic?.shift(expert, nodeOf(slot), 1);
    balance.replace(slot, expert);
  };
  return {
    swap: (slot, other) => {
      const [x, y] = [balance.expertAt(slot), balance.expertAt(other)];
      if (x === y || balance.deviceOf(slot) === balance.deviceOf(other)) return undefined;
      if (isFull(other, x) || isFull(slot, y)) return undefined;
      if (staysInNode && nodeOf(slot) !== nodeOf(other)) return undefined;
      exchange(slot, other);
      return () => {
        exchange(slot, other);
        traffic?.revert();
      };
    },
    replace: (slot, expert) => {
      const old = balance.expertAt(slot);
      if (old === expert || isFull(slot, expert)) return undefined;
      put(slot, expert);
      return () => {
        put(slot, old);
        traffic?.revert();
      };
    },
  };
}
