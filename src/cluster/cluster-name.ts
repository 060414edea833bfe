/** Clusters by name or by form: `8x ascend-910b3`, `4x8 ascend-910b3`, `2x8 ascend-910b3 + 8x biren-br100`. */
import { fail } from "../support/diagnostics.ts";
import { nearest } from "../support/near.ts";
import { counted } from "../support/text.ts";
import { betweenFleets, fleets, type Fleet } from "./presets/fleets.ts";
import { presets } from "./presets/presets.ts";
import { deviceCount, devicesOf, type Cluster, type Group, type Members, type Role } from "./topology.ts";

export const clusterNames: readonly string[] = presets.map((it) => it.name);

/** Blanks, dashes and case make no difference: `2x8-Ascend-910B3` is `2x8 ascend-910b3`. */
const plain = (name: string): string => name.toLowerCase().replaceAll(/[\s-]+/g, "");

/** The cluster of a name or form. Throws `cluster/unknown` and `cluster/node-size`. */
export function clusterNamed(name: string): Cluster {
  const preset = presets.find((it) => plain(it.name) === plain(name));
  const made = preset?.made ?? name;
  const group = typeof made === "string" ? mixed(made) : made;
  if (!group) return fail("cluster/unknown", undefined, name, nearest(name, clusterNames), clusterNames);
  const summary = preset?.summary ?? `${counted(deviceCount(group), "device")}`;
  return { name: preset?.name ?? name, summary, group };
}

/** Fleets joined by `+`; undefined for what is none. */
function mixed(form: string): Group | undefined {
  const parts = form.split("+").map(fleetMembers);
  const [first] = parts;
  const members = parts.filter((it) => it !== undefined);
  if (!first || members.length < parts.length) return undefined;
  const single = members.length === 1 && first.role === undefined;
  return single && typeof first.of === "object" ? first.of : { link: betweenFleets, members };
}

/** `8x DEVICE` or `2x8 DEVICE`, after `prefill:` or `decode:` where it is for that alone. */
function fleetMembers(form: string): Members | undefined {
  const [, role, nodes = "1", size, device = ""] =
    /^\s*(?:(prefill|decode):)?\s*(?:(\d{1,4})x)?(\d{1,4})x?[\s-]*([a-z][\w-]*)\s*$/i.exec(form) ?? [];
  const fleet = fleets.find((it) => plain(it.device) === plain(device));
  if (!fleet || Number(nodes) < 1 || Number(size) < 1) return undefined;
  const of = nodesOfFleet(fleet, Number(nodes), Number(size));
  return { count: 1, of, ...(role !== undefined && { role: role.toLowerCase() === "prefill" ? "prefill" : ("decode" as Role) }) }; // prettier-ignore
}

function nodesOfFleet(fleet: Fleet, nodes: number, size: number): Group {
  if (size > fleet.nodeSize) fail("cluster/node-size", undefined, fleet.device, size, fleet.nodeSize);
  const node: Group = { link: fleet.inNode, members: [{ count: size, of: fleet.device }] };
  return nodes === 1 ? node : { link: fleet.betweenNodes, members: [{ count: nodes, of: node }] };
}

/** The cluster that so many devices of a kind usually are: one node, whole nodes, or a part of the supernode that has them; undefined where none is known. */
export function clusterFor(device: string, count: number): Cluster | undefined {
  const fleet = fleets.find((it) => it.device === device);
  if (fleet) {
    const nodes = Math.ceil(count / fleet.nodeSize);
    return clusterNamed(nodes === 1 ? `${count}x ${device}` : `${nodes}x${fleet.nodeSize} ${device}`);
  }
  const whole = presets
    .map((it) => clusterNamed(it.name))
    .find((it) => devicesOf(it).every(({ profile }) => profile === device));
  return whole && deviceCount(whole.group) >= count ? whole : undefined;
}
