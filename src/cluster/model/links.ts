/** What an exchange between the ranks of a layout costs on a cluster's links. */
import type { Figure } from "../../support/figure.ts";
import { memberCount, type Device, type Group, type Link } from "../topology.ts";
import type { Constants } from "./constants.ts";
import { idle, type Busy } from "./kernel.ts";

/** Ranks that exchange: the first is device 0, each next one `stride` devices farther. */
export type Among = { readonly ranks: number; readonly stride: number };

export type Exchange = Among & {
  readonly name: string;
  /** Bytes that each rank sends, evenly over all of them, itself among them. */
  readonly bytes: number;
};

/** What lies between the ranks of a group. */
type Way = {
  /** Seconds for each byte that a rank sends, of the rank that takes longest. */
  readonly secondsPerByte: number;
  /** Seconds from the farthest rank. */
  readonly latency: number;
  readonly links: readonly Link[];
};

/** The devices of a layout as exchanges see them. */
export type Network = {
  readonly devices: readonly Device[];
  readonly way: (among: Among) => Way;
};

/** Bytes a second that a device sends to `partners` other members of its group. */
function rate({ link, members }: Group, partners: number): number {
  const reached = link.bandwidth.value * link.efficiency.value;
  return link.shape === "switch" ? reached : (reached * partners) / (memberCount({ link, members }) - 1);
}

/** How many of `devices` share the first `depth` members of their paths with `device`. */
const near = (devices: readonly Device[], { path }: Device, depth: number): number =>
  devices.filter((it) => path.slice(0, depth).every((member, i) => member === it.path[i])).length;

/** Every level's share of what a rank sends, one after the other: all leave by the ports of one device. */
function wayOf(devices: readonly Device[], from: Device): Way {
  let secondsPerByte = 0;
  const links: Link[] = [];
  from.groups.forEach((group, depth) => {
    const here = near(devices, from, depth);
    const closer = near(devices, from, depth + 1);
    if (here === closer) return;
    const taking = new Set(devices.filter((it) => near([it], from, depth) === 1).map((it) => it.path[depth]));
    secondsPerByte += (here - closer) / devices.length / rate(group, taking.size - 1);
    links.push(group.link);
  });
  return { secondsPerByte, latency: Math.max(0, ...links.map((it) => it.latency.value)), links };
}

/** The first of a group's devices, and the one in the smallest part of it, where groups are unequal. */
function farthest(devices: readonly Device[]): Way {
  const ways = [devices[0], devices.at(-1)].flatMap((it) => (it ? [wayOf(devices, it)] : []));
  return ways.reduce((a, b) => (b.secondsPerByte > a.secondsPerByte ? b : a), {
    secondsPerByte: 0,
    latency: 0,
    links: [],
  });
}

/** The network of devices in the order of ranks. Ways are found once. */
export function networkOf(devices: readonly Device[]): Network {
  const ways = new Map<string, Way>();
  const way = ({ ranks, stride }: Among): Way => {
    const key = `${ranks} ${stride}`;
    const known = ways.get(key);
    if (known) return known;
    const members = Array.from({ length: ranks }, (_, i) => devices[i * stride]).filter(
      (it) => it !== undefined,
    );
    const found = farthest(members);
    ways.set(key, found);
    return found;
  };
  return { devices, way };
}

/** The time of an exchange: data one way, then the flag behind it, and every rank looks at every other's. */
export function exchangeTime(network: Network, exchange: Exchange, constants: Constants): Busy {
  const { ranks, bytes } = exchange;
  if (ranks === 1) return idle;
  const { secondsPerByte, latency } = network.way(exchange);
  const { waitMicroseconds, peerMicroseconds } = constants;
  return {
    ...idle,
    network: bytes * secondsPerByte * 1e6,
    fixed: waitMicroseconds.value + (ranks - 1) * peerMicroseconds.value + 2e6 * latency,
  };
}

/** The figures of the links between ranks. */
export const figuresOfWay = (network: Network, among: Among): readonly Figure[] =>
  [...new Set(network.way(among).links)].flatMap((it) => [it.bandwidth, it.latency, it.efficiency]);
