/**
 * moec's own placement. First experts and their copies go to nodes, so that tokens find together what they take together and
 * nodes are equally loaded; then each node's go to its devices. Both are searched by annealing, from what EPLB answers. On the whole text no
 * device may be fuller than the limit; where no search keeps it, EPLB's better answer stands.
 */
import { createRandom } from "../../support/random.ts";
import { holders, type LayerMap } from "../expert-map.ts";
import { packGreedily } from "./pack.ts";
import { anneal } from "./anneal.ts";
import { fullestOverMean } from "./measure.ts";
import { trialOf, type Evidence } from "./trial.ts";

export type Aim = {
  /** The node of each device. */
  readonly nodes: readonly number[];
  /** What a message between nodes costs, in tokens through one expert; 0 where it does not matter. */
  readonly messageCost: number;
  /** How full the fullest device may be over the mean; absent, as full as the best start leaves it. */
  readonly limit?: number;
  /** Changes that are tried at each of the two levels. */
  readonly tries: number;
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
  const random = createRandom(aim.seed);
  const bins = {
    ...aim,
    devices: aim.nodes.length,
    limit,
    meanLimit: leastMean(starts, by) * (limit / least),
    copiesInBin: 1,
    staysInNode: false,
  };
  const nodes = new Set(aim.nodes).size;
  const mindsNodes = nodes > 1 && aim.messageCost > 0 && by.sets !== undefined;
  const begin = mindsNodes ? spreadOverNodes(fallback, by, { ...aim, limit }) : fallback;
  const cooling = { tries: aim.tries, hot: mindsNodes ? 0.001 : 0.02, cold: 1e-5 };
  return anneal(trialOf(begin, by, bins), cooling, random) ?? fallback;
}

/** How full the fullest device is on average over the stretches in the start that is best there. */
function leastMean(starts: readonly LayerMap[], { stretches }: Evidence): number {
  if (stretches.length === 0) return Infinity;
  const mean = (layer: LayerMap): number =>
    stretches.reduce((n, it) => n + fullestOverMean(layer, it), 0) / stretches.length;
  return Math.min(...starts.map(mean));
}

/** Which experts go to which node, then packed within it. The nodes may use half of what the limit leaves over the mean. */
function spreadOverNodes(start: LayerMap, by: Evidence, aim: Aim & { readonly limit: number }): LayerMap {
  const { nodes } = aim;
  const count = new Set(nodes).size;
  const inNode = (node: number) => range(nodes.length).filter((device) => nodes[device] === node);
  const merged = range(count).map((node) => inNode(node).flatMap((device) => start[device] ?? []));
  const trial = trialOf(merged, by, {
    ...aim,
    nodes: range(count),
    copiesInBin: Math.max(...range(count).map((node) => inNode(node).length)),
    devices: nodes.length,
    limit: 1 + (aim.limit - 1) / 2,
    meanLimit: Infinity,
    staysInNode: false,
  });
  const cooling = { tries: aim.tries, hot: 0.03, cold: 1e-5 };
  const spread = anneal(trial, cooling, createRandom(aim.seed)) ?? merged;
  const copies = holders(spread, by.loads.length);
  const share = (expert: number): number => (by.loads[expert] ?? 0) / (copies[expert]?.length ?? 1);
  const packed: (readonly number[])[] = [];
  for (const node of range(count)) {
    const devices = inNode(node);
    const sizes = devices.map((device) => start[device]?.length ?? 0);
    packGreedily(spread[node] ?? [], share, sizes).forEach((held, i) => (packed[devices[i] ?? 0] = held));
  }
  return evenOut(packed, by, aim);
}

/** Exchange experts within nodes until the whole text's loads are as even as they come. */
function evenOut(packed: LayerMap, { loads }: Evidence, aim: Aim): LayerMap {
  const bins = {
    ...aim,
    devices: packed.length,
    copiesInBin: 1,
    staysInNode: true,
    messageCost: 0,
    limit: Infinity,
    meanLimit: Infinity,
  };
  const cooling = { tries: aim.tries / 2, hot: 0.05, cold: 1e-6 };
  return anneal(trialOf(packed, { loads, stretches: [] }, bins), cooling, createRandom(aim.seed)) ?? packed;
}
