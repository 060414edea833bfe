/**
 * The two policies of DeepSeek's expert parallelism load balancer, from their description (github.com/deepseek-ai/EPLB; "DeepSeek-V3
 * Technical Report", 2024, 3.4). Hot experts are replicated, then replicas are packed greedily, the heaviest first.
 * Sums are of single precision, as there.
 */
import type { LayerMap } from "../expert-map.ts";

/** Where each item went: its pack, and the how-manieth it is there. */
type Packing = { readonly pack: readonly number[]; readonly place: readonly number[] };

/** What is to be placed where. */
export type Slots = {
  /** Physical experts in all: experts and redundant ones. */
  readonly slots: number;
  readonly groups: number;
  readonly nodes: number;
  readonly devices: number;
};

const range = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);
const sumSingle = (xs: readonly number[]): number => xs.reduce((n, x) => Math.fround(n + x), 0);

/** Spread items over packs of equally many: heaviest first, each to the lightest pack that has room. */
function balancedPacking(weights: readonly number[], packs: number): Packing {
  const size = weights.length / packs;
  if (size === 1) return { pack: range(packs), place: weights.map(() => 0) };
  const [pack, place] = [weights.map(() => 0), weights.map(() => 0)];
  const loads = range(packs).map(() => 0);
  const filled = range(packs).map(() => 0);
  const heaviestFirst = range(weights.length).toSorted((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0));
  for (const item of heaviestFirst) {
    const open = range(packs).filter((p) => (filled[p] ?? 0) < size);
    const to = open.reduce((best, p) => ((loads[p] ?? 0) < (loads[best] ?? 0) ? p : best));
    pack[item] = to;
    place[item] = filled[to] ?? 0;
    loads[to] = Math.fround((loads[to] ?? 0) + (weights[item] ?? 0));
    filled[to] = (filled[to] ?? 0) + 1;
  }
  return { pack, place };
}

/** Which expert each replica is of: all once, then again and again the one whose replicas are the heaviest. */
export function replicate(
  weights: readonly number[],
  replicas: number,
): { readonly of: readonly number[]; readonly counts: readonly number[] } {
  const of = [...range(weights.length)];
  const counts = weights.map(() => 1);
  const share = weights.map((w) => Math.fround(w));
  while (of.length < replicas) {
    const heaviest = share.reduce((best, w, e) => (w > (share[best] ?? 0) ? e : best), 0);
    of.push(heaviest);
    counts[heaviest] = (counts[heaviest] ?? 0) + 1;
    share[heaviest] = Math.fround((weights[heaviest] ?? 0) / (counts[heaviest] ?? 1));
  }
  return { of, counts };
}

/**
 * Groups of experts to nodes, replicas within each node, replicas to its devices. `nodes` must divide `groups` and `devices`, `groups` the
 * experts, `devices` the slots.
 */
export function eplbHierarchical(loads: readonly number[], at: Slots): LayerMap {
  const { slots, groups, nodes, devices } = at;
  const groupSize = loads.length / groups;
  const weights = loads.map(Math.fround);
  const ofGroups = range(groups).map((g) => sumSingle(weights.slice(g * groupSize, (g + 1) * groupSize)));
  const nodeOfGroup = balancedPacking(ofGroups, nodes);
  const groupsPerNode = groups / nodes;
  return range(nodes).flatMap((node) => {
    const own: number[] = [];
    nodeOfGroup.pack.forEach((it, g) => {
      if (it === node) own[nodeOfGroup.place[g] ?? 0] = g;
    });
    const experts = own.slice(0, groupsPerNode).flatMap((g) => range(groupSize).map((e) => g * groupSize + e)); // prettier-ignore
    const within = experts.map((e) => weights[e] ?? 0);
    const { of, counts } = replicate(within, slots / nodes);
    const shares = of.map((e) => Math.fround((within[e] ?? 0) / (counts[e] ?? 1)));
    const packing = balancedPacking(shares, devices / nodes);
    const held = range(devices / nodes).map((): number[] => []);
    of.forEach((e, i) => {
      const device = held[packing.pack[i] ?? 0];
      if (device) device[packing.place[i] ?? 0] = experts[e] ?? 0;
    });
    return held;
  });
}

/** Replicas over all devices, whatever their groups and nodes. */
export const eplbGlobal = (loads: readonly number[], at: Slots): LayerMap =>
  eplbHierarchical(loads, { ...at, groups: 1, nodes: 1 });

/** Whether the hierarchical policy can be used: EPLB takes it where nodes divide the groups, else the global one. */
export const isHierarchical = ({ groups, nodes }: Slots): boolean => groups % nodes === 0;

/** What EPLB does: the hierarchical policy where it can be used. */
export const eplb = (loads: readonly number[], at: Slots): LayerMap =>
  isHierarchical(at) ? eplbHierarchical(loads, at) : eplbGlobal(loads, at);
