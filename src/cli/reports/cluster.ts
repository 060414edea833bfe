/** A cluster as people read it. Scripts read `moec clusters NAME --json`. */
import { linkNames } from "../../cluster/cluster-file.ts";
import { deviceCount, nodesOf, type Cluster, type Group } from "../../cluster/topology.ts";
import { counted, number, table } from "../../support/text.ts";

/** The tree of groups, then every figure of their links with confidence and source. */
export function clusterText(cluster: Cluster): string {
  const names = linkNames(cluster);
  const nodes = new Set(nodesOf(cluster)).size;
  const rows = [...names].flatMap(([link, name]) => [
    [name, "bandwidth", `${link.bandwidth.value / 1e9} GB/s`, link.bandwidth.confidence, link.bandwidth.source],
    ["", "latency", `${Number((link.latency.value * 1e6).toPrecision(6))} us`, link.latency.confidence, link.latency.source],
    ["", "efficiency", String(link.efficiency.value), link.efficiency.confidence, link.efficiency.source],
  ]); // prettier-ignore
  const tree = (group: Group, depth: number): readonly string[] =>
    group.members.flatMap(({ count, of, role }) => {
      const indent = "  ".repeat(depth);
      const forWhat = role ? ` for ${role}` : "";
      const over = `${number(count)} x`;
      return typeof of === "string"
        ? [`${indent}${over} ${of}${forWhat}`]
        : [
            `${indent}${over} group over ${names.get(of.link)} (${of.link.shape})${forWhat}`,
            ...tree(of, depth + 1),
          ];
    });
  return [
    `${cluster.name}: ${cluster.summary}\n${counted(deviceCount(cluster.group), "device")} in ${counted(nodes, "node")}\n`,
    `over ${names.get(cluster.group.link)} (${cluster.group.link.shape})\n${tree(cluster.group, 1).join("\n")}\n`,
    table(rows),
  ].join("\n");
}
