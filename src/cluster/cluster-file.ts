/** A cluster of the user's own, from a JSON file. docs/clusters.md shows one. */
import * as v from "valibot";
import { sourced, type Figure } from "../support/figure.ts";
import { fail } from "../support/diagnostics.ts";
import { parseJson } from "../support/parse-json.ts";
import { deviceCount, linkKinds, type Cluster, type Group, type Link, type Members } from "./topology.ts";

/** As many as the largest announced supernodes have, and more. */
const mostDevices = 65536;

const count = v.pipe(v.number(), v.integer(), v.minValue(1));

/** A figure with its source, or a bare number, for which nothing stands but the file. */
const figure = (most: number) => {
  const number = v.pipe(v.number(), v.gtValue(0), v.maxValue(most));
  return v.union(
    [
      sourced(number),
      v.pipe(
        number,
        v.transform((value): Figure => ({ value, source: "the cluster's file", confidence: "uncertain" })),
      ),
    ],
    `must be a number from 0 to ${most}, or {value, source, confidence} of one`,
  );
};

const link = v.strictObject({
  kind: v.picklist(linkKinds),
  shape: v.picklist(["mesh", "switch"]),
  bandwidth: figure(1e15),
  latency: figure(1),
  efficiency: figure(1),
});

type RawMembers = {
  readonly count: number;
  readonly device?: string | undefined;
  readonly group?: RawGroup | undefined;
  readonly role?: "prefill" | "decode" | undefined;
};
type RawGroup = { readonly link: string; readonly members: readonly RawMembers[] };

const members: v.GenericSchema<RawMembers> = v.strictObject({
  count,
  device: v.optional(v.string()),
  group: v.optional(v.lazy(() => group)),
  role: v.optional(v.picklist(["prefill", "decode"])),
});
const group: v.GenericSchema<RawGroup> = v.strictObject({
  link: v.string(),
  members: v.pipe(v.array(members), v.minLength(1)),
});

/** The form of the file: links by name, and the tree that they join. */
const clusterSchema = v.strictObject({
  name: v.string(),
  summary: v.optional(v.string(), "a cluster of the user's own"),
  links: v.record(v.string(), link),
  group,
});

/** Read a cluster. Throws `cluster/file` with the field at fault. */
export function parseCluster(text: string, file: string): Cluster {
  const wrong = (pointer: string, why: string): never =>
    fail("cluster/file", { kind: "json", file, pointer }, why);
  const raw = parseJson(clusterSchema, text, wrong);
  const groupOf = (it: RawGroup, pointer: string): Group => ({
    link: linkOf(raw.links, it.link, (why) => wrong(`${pointer}/link`, why)),
    members: it.members.map((m, i) => membersOf(m, `${pointer}/members/${i}`)),
  });
  const membersOf = ({ count: n, device, group: inner, role }: RawMembers, pointer: string): Members => {
    const of = device ?? (inner && groupOf(inner, `${pointer}/group`));
    if (of === undefined || (device !== undefined && inner !== undefined))
      return wrong(pointer, "members are either a device or a group");
    return { count: n, of, ...(role && { role }) };
  };
  const cluster = { name: raw.name, summary: raw.summary, group: groupOf(raw.group, "/group") };
  const devices = deviceCount(cluster.group);
  return devices <= mostDevices ? cluster : wrong("/group", `it has ${devices} devices, at most ${mostDevices} are understood`); // prettier-ignore
}

function linkOf(links: Readonly<Record<string, Link>>, name: string, wrong: (why: string) => never): Link {
  const found = Object.hasOwn(links, name) ? links[name] : undefined;
  return found ?? wrong(`there is no link ${name}; the file has ${Object.keys(links).join(", ")}`);
}

/** A name for each link of a cluster: its kind, numbered where there are several of one kind. */
export function linkNames(cluster: Cluster): ReadonlyMap<Link, string> {
  const names = new Map<Link, string>();
  const visit = ({ link: it, members: inner }: Group): void => {
    if (!names.has(it)) {
      const others = [...names.keys()].filter(({ kind }) => kind === it.kind).length;
      names.set(it, others === 0 ? it.kind : `${it.kind}-${others + 1}`);
    }
    for (const { of } of inner) if (typeof of !== "string") visit(of);
  };
  visit(cluster.group);
  return names;
}

/** A cluster as the text that `parseCluster` reads. */
export function formatCluster(cluster: Cluster): string {
  const names = linkNames(cluster);
  const raw = (it: Group): RawGroup => ({
    link: names.get(it.link) ?? it.link.kind,
    members: it.members.map(({ count: n, of, role }) => ({
      count: n,
      ...(typeof of === "string" ? { device: of } : { group: raw(of) }),
      ...(role && { role }),
    })),
  });
  const links = Object.fromEntries([...names].map(([it, name]) => [name, it]));
  const { name, summary } = cluster;
  return `${JSON.stringify({ name, summary, links, group: raw(cluster.group) }, undefined, 2)}\n`;
}
