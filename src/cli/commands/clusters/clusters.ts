/** `moec clusters [NAME]`: the clusters there are to plan for, and what is known of one. */
import { formatCluster } from "../../../cluster/cluster-file.ts";
import { clusterFrom, knownClusters } from "../../../driver/cluster.ts";
import { table } from "../../../support/text.ts";
import { clusterText } from "../../reports/cluster.ts";
import type { CommandSpec } from "../../command.ts";

export const clusters: CommandSpec<Record<never, never>> = {
  name: "clusters",
  summary: "list the clusters to plan for",
  args: [
    [
      "[name]",
      "tell every figure of this one, of a form such as '4x8 ascend-910b3', or of a file of your own (.json)",
    ],
  ],
  options: {},
  examples: ["moec clusters", "moec clusters cloudmatrix-384", "moec clusters '4x8 ascend-910b3' --json"],
  run: ([name], _options, cx) => {
    if (name !== undefined) {
      const cluster = clusterFrom(name);
      cx.stdout.write(cx.json ? formatCluster(cluster) : clusterText(cluster));
    } else {
      const list = knownClusters.map((it) => ({ name: it.name, summary: it.summary }));
      cx.stdout.write(
        cx.json
          ? `${JSON.stringify({ clusters: list }, undefined, 2)}\n`
          : table(list.map((it) => [it.name, it.summary])),
      );
    }
    return Promise.resolve(0);
  },
};
