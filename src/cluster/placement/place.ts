/** Placement of a layer's experts by policy. */
import { fail } from "../../support/diagnostics.ts";
import { layerInOrder, type LayerMap } from "../expert-map.ts";
import { eplb, eplbGlobal, isHierarchical, replicate, type Slots } from "./eplb.ts";
import { packGreedily, slotSizes } from "./pack.ts";
import { searchPlacement, type Effort } from "./search.ts";
import type { Evidence } from "./trial.ts";

/** `search` is moec's own, `eplb` and `eplb-global` are DeepSeek's, `in-order` looks at nothing. */
export const policies = ["search", "eplb", "eplb-global", "in-order"] as const;
export type Policy = (typeof policies)[number];

export type Placing = {
  readonly policy: Policy;
  /** The node of each device. */
  readonly nodes: readonly number[];
  /** Copies of experts beyond one of each. */
  readonly redundant: number;
  /** Groups of experts that routers choose within. */
  readonly groups: number;
  /** What a message between nodes costs, in tokens through one expert. */
  readonly messageCost: number;
  /** How full the fullest device may be over the mean, if that is more than EPLB's better answer. */
  readonly fullest?: number | undefined;
  readonly seed: number;
};

/**
 * What a layer's search may look at, and for how long: more where a layer has few experts, whose searches are cheap and matter more, and hotter, as these
 * come to rest. `tokens` are those whose sets of experts are weighed.
 */
export const effortFor = (experts: number): Effort & { readonly tokens: number } =>
  experts <= 64
    ? { tokens: 20000, nodes: { tries: 100000, hot: 0.005 }, devices: 40000 }
    : { tokens: 1024, nodes: { tries: 2500, hot: 0.0005 }, devices: 3000 };

/** What a message between nodes is taken to cost, in tokens through one expert, where nothing is said: few messages, as far as loads stay even. */
export const usualMessageCost = 40;

/** Throws `cluster/no-room` where a device would hold an expert twice. */
export function refuseTooMany(experts: number, { nodes, redundant }: Placing): void {
  const slots = experts + redundant;
  if (slots > experts * nodes.length) fail("cluster/no-room", undefined, experts, slots);
}

/** Place one layer. Throws `cluster/no-room` and, for EPLB's policies where numbers do not divide, `cluster/eplb`. */
export function placeLayer(by: Evidence, placing: Placing): LayerMap {
  const experts = by.loads.length;
  const { policy, nodes, redundant, groups } = placing;
  const slots = { slots: experts + redundant, groups, nodes: new Set(nodes).size, devices: nodes.length };
  refuseTooMany(experts, placing);
  if (policy === "in-order") return layerInOrder(experts, nodes.length, redundant);
  const loads = Array.from(by.loads);
  const obstacle = obstacleTo(experts, slots);
  if (policy !== "search") {
    if (obstacle !== undefined) fail("cluster/eplb", undefined, obstacle);
    return policy === "eplb" ? eplb(loads, slots) : eplbGlobal(loads, slots);
  }
  const starts = obstacle === undefined ? [eplb(loads, slots), eplbGlobal(loads, slots)] : [greedy(loads, slots)]; // prettier-ignore
  return searchPlacement(starts, by, {
    nodes,
    messageCost: placing.messageCost,
    ...(placing.fullest !== undefined && { limit: placing.fullest }),
    effort: effortFor(experts),
    seed: placing.seed,
  });
}

/** Why EPLB, which divides everything evenly, cannot be asked; undefined where it can. */
export function obstacleTo(experts: number, at: Slots): string | undefined {
  if (at.slots % at.devices !== 0) return `${at.slots} copies on ${at.devices} devices are uneven`;
  if (at.devices % at.nodes !== 0) return `${at.devices} devices in ${at.nodes} nodes are uneven`;
  if (experts % at.groups !== 0) return `${experts} experts in ${at.groups} groups are uneven`;
  if (isHierarchical(at) && at.slots % at.nodes !== 0)
    return `${at.slots} copies in ${at.nodes} nodes are uneven`;
  return undefined;
}

/** Replicas as EPLB makes them, packed on devices whose numbers may differ by one. */
function greedy(loads: readonly number[], { slots, devices }: Slots): LayerMap {
  const { of, counts } = replicate(loads, slots);
  return packGreedily(of, (e) => (loads[e] ?? 0) / (counts[e] ?? 1), slotSizes(slots, devices));
}
