/** What an exchange between the ranks of a layout costs on a cluster's links. */
import type { Figure } from "../../support/figure.ts";
import { memberCount, type Device, type Group, type Link } from "../topology.ts";
import type { Constants } from "./constants.ts";
import { duration, idle, plus, type Busy } from "./kernel.ts";

/** Ranks that exchange: the first is device 0, each next one `stride` devices farther. */
export type Among = { readonly ranks: number; readonly stride: number };

export type Exchange = Among & {
  readonly name: string;
  /** Bytes that each rank sends, evenly over all of them, itself among them. */
  readonly bytes: number;
  /** Whether ranks send the same to all or sum what they get, so that near ones can join it before it goes far: half an all-reduce. */
  readonly joins: boolean;
};

/** What lies between the ranks of a group. */
type Way = {
  /** Seconds for each byte that a rank sends, of the rank that takes longest. */
  readonly secondsPerByte: number;
  /** Seconds from the farthest rank. */
  readonly latency: number;
  readonly links: readonly Link[];
};

/** Ranks that are joined at one level, and the share of the bytes that is left for it. */
type Level = { readonly ranks: number; readonly share: number; readonly way: Way };

/** What lies between ranks, all at once or level by level from the nearest. */
export type Ways = { readonly flat: Way; readonly levels: readonly Level[] };

/** The devices of a layout as exchanges see them. */
export type Network = {
  readonly devices: readonly Device[];
  readonly ways: (among: Among) => Ways;
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

/** What is joined level by level: neighbours first, then one of each group of them; groups count as equal. */
function levelsOf(devices: readonly Device[]): readonly Level[] {
  const [first] = devices;
  let share = 1;
  return (first?.groups ?? []).map((_, depth) => depth).toReversed().flatMap((depth): Level[] => {
    const here = devices.filter((it) => first && near([it], first, depth) === 1);
    const members = [...Map.groupBy(here, (it) => it.path[depth]).values()].flatMap(([it]) => it ?? []);
    if (members.length < 2) return [];
    const level = { ranks: members.length, share, way: farthest(members) };
    share /= members.length;
    return [level];
  }); // prettier-ignore
}

/** What lies between devices that exchange. */
export const waysAmong = (devices: readonly Device[]): Ways => ({
  flat: farthest(devices),
  levels: levelsOf(devices),
});

/** The network of devices in the order of ranks. Ways are found once. */
export function networkOf(devices: readonly Device[]): Network {
  const found = new Map<string, Ways>();
  const ways = ({ ranks, stride }: Among): Ways => {
    const key = `${ranks} ${stride}`;
    const members = Array.from({ length: ranks }, (_, i) => devices[i * stride] ?? []).flat();
    const known = found.get(key) ?? waysAmong(members);
    found.set(key, known);
    return known;
  };
  return { devices, ways };
}

/** What waiting for each other costs exchanges. */
export type Waits = Pick<Constants, "waitMicroseconds" | "peerMicroseconds">;

/** Data one way, then the flag behind it, and every rank looks at every other's. */
function over(way: Way, ranks: number, bytes: number, { waitMicroseconds, peerMicroseconds }: Waits): Busy {
  return {
    ...idle,
    network: bytes * way.secondsPerByte * 1e6,
    fixed: waitMicroseconds.value + (ranks - 1) * peerMicroseconds.value + 2e6 * way.latency,
  };
}

/** The time of an exchange between ranks of so many bytes each: what can be joined on the way goes level by level where that is shorter. */
export function exchangeBetween(
  { flat, levels }: Ways,
  { ranks, bytes, joins }: Pick<Exchange, "ranks" | "bytes" | "joins">,
  waits: Waits,
): Busy {
  if (ranks === 1) return idle;
  const direct = over(flat, ranks, bytes, waits);
  if (!joins || levels.length < 2) return direct;
  const steps = levels.map((it) => over(it.way, it.ranks, bytes * it.share, waits)).reduce(plus, idle);
  return duration(steps) < duration(direct) ? steps : direct;
}

/** The time of an exchange of a layout's ranks. */
export const exchangeTime = (network: Network, exchange: Exchange, waits: Waits): Busy =>
  exchange.ranks === 1 ? idle : exchangeBetween(network.ways(exchange), exchange, waits);

/** The figures of the links between ranks. */
export const figuresOfWay = (network: Network, among: Among): readonly Figure[] =>
  [...new Set(network.ways(among).flat.links)].flatMap((it) => [it.bandwidth, it.latency, it.efficiency]);
