/**
 * A cluster, as data: a tree whose leaves are devices and whose inner nodes are the links that join what is below them. What joins
 * two ranks is the link of the lowest node above both. Groups need not be equal, and need not be of one kind of device.
 */
import type { Figure } from "../support/figure.ts";

/** What a link is made of, from the nearest to the farthest. */
export const linkKinds = ["die-pair", "node-mesh", "blink", "pcie", "ub-plane", "roce"] as const;
export type LinkKind = (typeof linkKinds)[number];

/** What joins the members of a group. */
export type Link = {
  readonly kind: LinkKind;
  /** `mesh`: a wire of its own between every two members. `switch`: each member's bandwidth reaches any other. */
  readonly shape: "mesh" | "switch";
  /** Bytes per second, one way, out of each device over all its wires of this level. */
  readonly bandwidth: Figure;
  /** Seconds from the first byte's leaving to its arrival. */
  readonly latency: Figure;
  /** The share of the bandwidth that transfers reach. */
  readonly efficiency: Figure;
};

/** What a part of a cluster is for, where prefill and decode run on different devices. */
export type Role = "prefill" | "decode";

/** So many equal members of a group. */
export type Members = {
  readonly count: number;
  readonly of: Group | string;
  readonly role?: Role;
};

/** Members joined by a link; a member is a group or, by the name of its profile, a device. */
export type Group = { readonly link: Link; readonly members: readonly Members[] };

export type Cluster = { readonly name: string; readonly summary: string; readonly group: Group };

/** A device of a cluster. Ranks are numbered from the first leaf of the tree to the last. */
export type Device = {
  readonly rank: number;
  /** The name of its profile. */
  readonly profile: string;
  readonly role: Role | undefined;
  /** At each level from the root, the number of its member within the group there. */
  readonly path: readonly number[];
  /** The groups it is in, from the root. */
  readonly groups: readonly Group[];
};

/** How many members a group has. */
export const memberCount = ({ members }: Group): number => members.reduce((n, it) => n + it.count, 0);

/** How many devices a group has. */
export const deviceCount = ({ members }: Group): number =>
  members.reduce((n, { count, of }) => n + count * (typeof of === "string" ? 1 : deviceCount(of)), 0);

/** Every device, by rank. */
export function devicesOf(cluster: Cluster): readonly Device[] {
  const devices: Device[] = [];
  const visit = (
    group: Group,
    path: readonly number[],
    groups: readonly Group[],
    role: Role | undefined,
  ): void => {
    let number = 0;
    for (const { count, of, role: own = role } of group.members)
      for (let i = 0; i < count; i++, number++) {
        const [here, within] = [
          [...path, number],
          [...groups, group],
        ];
        if (typeof of === "string")
          devices.push({ rank: devices.length, profile: of, role: own, path: here, groups: within });
        else visit(of, here, within, own);
      }
  };
  visit(cluster.group, [], [], undefined);
  return devices;
}

/** The group whose link joins two different devices. */
export function joining(a: Device, b: Device): Group {
  const at = a.path.findIndex((member, level) => member !== b.path[level]);
  const group = a.groups[at];
  if (!group) throw new Error("a device is joined to others, not to itself");
  return group;
}

/** Links that lead out of a node: the unit within which expert traffic is cheap. */
const betweenNodes: readonly LinkKind[] = ["roce", "ub-plane"];

/**
 * Which node each device is in. A node is the largest group below the links that join nodes: RoCE, or a UB plane whose
 * members are groups. A device that no group holds closer is a node of its own.
 */
export function nodesOf(cluster: Cluster): readonly number[] {
  const numbers = new Map<string, number>();
  return devicesOf(cluster).map(({ path, groups }) => {
    const depth = groups.findIndex(({ link }) => !betweenNodes.includes(link.kind));
    const key = path.slice(0, depth < 0 ? path.length : depth).join(".");
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
}
