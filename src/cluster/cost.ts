/**
 * What moving bytes over a cluster takes, by the usual model: latency and bytes over bandwidth at each level (Hockney, 1994), collectives level
 * by level, from the nearest links to the farthest (Thakur, Rabenseifner and Gropp, 2005). Each cost says which figures it rests on.
 */
import type { Figure } from "../support/figure.ts";
import { joining, memberCount, type Device, type Group, type Link } from "./topology.ts";

export type Cost = {
  readonly seconds: number;
  /** The links it was reckoned by, and with them the figures it rests on. */
  readonly over: readonly Link[];
};

/** The figures that a cost rests on. */
export const figuresBehind = ({ over }: Cost): readonly Figure[] =>
  [...new Set(over)].flatMap(({ bandwidth, latency, efficiency }) => [bandwidth, latency, efficiency]);

const none: Cost = { seconds: 0, over: [] };
const sum = (costs: readonly Cost[]): Cost => ({
  seconds: costs.reduce((n, it) => n + it.seconds, 0),
  over: costs.flatMap((it) => it.over),
});
const slowest = (costs: readonly Cost[]): Cost =>
  costs.reduce((worst, it) => (it.seconds > worst.seconds ? it : worst), none);

/** Bytes per second out of a device towards `partners` other members of a group. */
function rate({ link, members }: Group, partners: number): number {
  const reached = link.bandwidth.value * link.efficiency.value;
  // A mesh has a wire to each other member; those that lead to nobody who takes part lie idle.
  return link.shape === "switch" ? reached : reached * (partners / (memberCount({ link, members }) - 1));
}

/** `bytes` from one device to another. */
export function transferCost(from: Device, to: Device, bytes: number): Cost {
  if (from.rank === to.rank) return none;
  const group = joining(from, to);
  return {
    seconds: group.link.latency.value + bytes / rate(group, 1),
    over: [group.link],
  };
}

/** A group of the tree and how many of its members hold devices that take part. */
type Joint = { readonly group: Group; readonly taking: number };

/** Where devices that take part meet, level by level from the farthest; a level's groups work side by side. */
export function meetings(devices: readonly Device[]): readonly (readonly Joint[])[] {
  const depth = Math.max(0, ...devices.map((it) => it.path.length));
  return Array.from({ length: depth }, (_, level) => {
    const groups = Map.groupBy(
      devices.filter((it) => it.groups[level] !== undefined),
      (it) => it.path.slice(0, level).join("."),
    );
    return [...groups.values()].flatMap((within): Joint[] => {
      const group = within[0]?.groups[level];
      const taking = new Set(within.map((it) => it.path[level])).size;
      return group && taking > 1 ? [{ group, taking }] : [];
    });
  });
}

/**
 * Half an all-reduce at one level: each of `n` members ends with `1/n` of the sum, or begins with `1/n` and ends with all. Members of a mesh
 * exchange directly, in one step; behind a switch by halving, in log2(n).
 */
function halfCost({ group, taking: n }: Joint, bytes: number): Cost {
  const steps = group.link.shape === "mesh" ? 1 : Math.ceil(Math.log2(n));
  return {
    seconds: steps * group.link.latency.value + (bytes * (n - 1)) / n / rate(group, n - 1),
    over: [group.link],
  };
}

/** What reduce-scatter of `bytes` on each device takes: nearest links first, so that the far ones carry the least. All-gather of a result of `bytes` takes the same, backwards. */
export function reduceScatterCost(devices: readonly Device[], bytes: number): Cost {
  let left = bytes;
  const costs = meetings(devices)
    .toReversed()
    .map((joints) => {
      const cost = slowest(joints.map((joint) => halfCost(joint, left)));
      left /= Math.max(1, ...joints.map((it) => it.taking));
      return cost;
    });
  return sum(costs);
}

export const allGatherCost = reduceScatterCost;

/** What all-reduce of `bytes` takes: reduce-scatter, then all-gather. */
export function allReduceCost(devices: readonly Device[], bytes: number): Cost {
  const half = reduceScatterCost(devices, bytes);
  return sum([half, half]);
}

/** Tokens on their way to experts, or back. */
export type Traffic = {
  /** Tokens that each device sends. */
  readonly tokens: number;
  readonly bytesPerToken: number;
  /** How many copies of a token cross the links of a level: one for each other member of the group that needs it. */
  readonly copies: (joint: Joint) => number;
};

/** Copies of a token whose `k` experts lie anywhere with the same chance: the expected number of other members among `n`. */
export const evenCopies =
  (k: number) =>
  ({ taking: n }: Joint): number =>
    (n - 1) * (1 - (1 - 1 / n) ** k);

/**
 * What sending tokens to their experts takes, or gathering their answers. A token crosses a level once for each distinct member that
 * needs it and is handed on from there; levels carry different tokens at the same time, so the slowest holds, and latencies add up.
 */
export function exchangeCost(devices: readonly Device[], traffic: Traffic): Cost {
  const levels = meetings(devices)
    .flat()
    .map((joint) => {
      const bytes = traffic.tokens * traffic.bytesPerToken * traffic.copies(joint);
      return { joint, seconds: bytes / rate(joint.group, joint.taking - 1) };
    });
  const latencies = meetings(devices).map((joints) => Math.max(0, ...joints.map((it) => it.group.link.latency.value))); // prettier-ignore
  return {
    seconds: Math.max(0, ...levels.map((it) => it.seconds)) + latencies.reduce((a, b) => a + b, 0),
    over: levels.map((it) => it.joint.group.link),
  };
}
