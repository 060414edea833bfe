/**
 * Moec's own placement of a layer. First experts go to nodes, with their copies, so that tokens find together what they take together and
 * nodes are equally loaded; then each node's go to its devices. Both are searched by annealing, from what EPLB answers. On the whole text no
 * device may be fuller than the limit; where no search keeps it, EPLB's better answer stands.
 */
import { createRandom } from "../../support/random.ts";
import { holders, type LayerMap } from "../expert-map.ts";
import { evenBySwaps, packGreedily } from "./pack.ts";
import { anneal } from "./anneal.ts";
import { fullestOverMean } from "./measure.ts";
import { trialOf, type Evidence } from "./trial.ts";

/** Changes that are tried: from each start over nodes, and then over devices. `hot` is how freely the first of them may cost more. */
export type Effort = {
  readonly nodes: { readonly tries: number; readonly hot: number };
  readonly devices: number;
};

export type Aim = {
  /** The node of each device. */
  readonly nodes: readonly number[];
  /** What a message between nodes costs, in tokens through one expert; 0 where it does not matter. */
  readonly messageCost: number;
  /** How full the fullest device may be over the mean; absent, as full as the best start leaves it. */
  readonly limit?: number;
  readonly effort: Effort;
  readonly seed: number;
};

const range = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);
/** What rounding may add to a load that is the limit's own. */
const rounding = 1 + 1e-12;

/** Search from `starts`; the best of them is legal whatever the limit. */
export function searchPlacement(starts: readonly LayerMap[], by: Evidence, aim: Aim): LayerMap {
  const least = Math.min(...starts.map((it) => fullestOverMean(it, by.loads)));
  const fallback = starts.find((it) => fullestOverMean(it, by.loads) === least);
  if (!fallback) throw new Error("a search needs a start");
  const limit = Math.max(aim.limit ?? least, least) * rounding;
  const nodes = new Set(aim.nodes).size;
  const mindsNodes = nodes > 1 && aim.messageCost > 0 && by.sets !== undefined;
  const bins = {
    ...aim,
    devices: aim.nodes.length,
    limit,
    // Fewer messages are not bought by loads that move more than where EPLB's own messages are fewest.
    meanLimit: Math.max(...starts.map((it) => meanOf(it, by))),
    copiesInBin: 1,
    staysInNode: false,
  };
  const spread = mindsNodes ? spreadOverNodes(starts, by, { ...aim, limit }) : [];
  const trials = [fallback, ...spread].map((it) => trialOf(it, by, bins));
  const costs = trials.map((it) => it.cost() + it.settle());
  const begin = trials[costs.indexOf(Math.min(...costs))];
  const cooling = {
    tries: mindsNodes ? aim.effort.devices : 2 * aim.effort.devices, // alone it has the time of both
    hot: mindsNodes ? 0.001 : 0.02,
    cold: 1e-5,
    soft: 20,
    hard: 20,
  };
  return (begin && anneal(begin, cooling, createRandom(aim.seed))) ?? fallback;
}

/** How full the fullest device is on average over the stretches; without end where there are none. */
const meanOf = (layer: LayerMap, { stretches }: Evidence): number =>
  stretches.length === 0
    ? Infinity
    : stretches.reduce((n, it) => n + fullestOverMean(layer, it), 0) / stretches.length;

/** What is in part of the limit that nodes may use, the rest being left to their devices. */
const nodesMayUse = 0.6;

/** Which experts go to which node, then packed within it, as found from each start that leads to what keeps the limit. */
function spreadOverNodes(
  starts: readonly LayerMap[],
  by: Evidence,
  aim: Aim & { readonly limit: number },
): readonly LayerMap[] {
  const { nodes } = aim;
  const sizesOf = (devices: readonly number[]) => devices.map((device) => starts[0]?.[device]?.length ?? 0);
  const devicesIn = range(new Set(nodes).size).map((node) =>
    range(nodes.length).filter((device) => nodes[device] === node),
  );
  const random = createRandom(aim.seed);
  const pack = (spread: LayerMap): LayerMap | undefined => {
    const copies = holders(spread, by.loads.length);
    const share = (expert: number): number => (by.loads[expert] ?? 0) / (copies[expert]?.length ?? 1);
    const most = (Array.from(by.loads).reduce((a, b) => a + b, 0) / nodes.length) * aim.limit;
    const packed: (readonly number[])[] = [];
    for (const [node, devices] of devicesIn.entries()) {
      const greedy = packGreedily(spread[node] ?? [], share, sizesOf(devices));
      const even = evenBySwaps(greedy, share, most, 8, random);
      if (!even) return undefined;
      even.forEach((held, i) => (packed[devices[i] ?? 0] = held));
    }
    return packed;
  };
  const bins = {
    ...aim,
    nodes: range(devicesIn.length),
    copiesInBin: Math.max(...devicesIn.map((it) => it.length)),
    devices: nodes.length,
    limit: 1 + (aim.limit - 1) * nodesMayUse,
    meanLimit: Infinity,
    staysInNode: false,
  };
  const cooling = { ...aim.effort.nodes, cold: 1e-4, soft: 0.5, hard: 20 };
  return starts.flatMap((start) => {
    const merged = devicesIn.map((devices) => devices.flatMap((device) => start[device] ?? []));
    const found = anneal(trialOf(merged, by, bins, pack), cooling, createRandom(aim.seed));
    return found ? [found] : [];
  });
}
