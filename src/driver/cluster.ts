/** Clusters as the command line names them: known ones, forms, and files. */
import { existsSync } from "node:fs";
import { parseCluster } from "../cluster/cluster-file.ts";
import { clusterNamed } from "../cluster/cluster-name.ts";
import { presets } from "../cluster/presets/presets.ts";
import type { Cluster } from "../cluster/topology.ts";
import { readDescription } from "./text-file.ts";

/** The known clusters, for lists and help. */
export const knownClusters: readonly Pick<Cluster, "name" | "summary">[] = presets;

/** The cluster of a name, a form such as `4x8 ascend-910b3`, or a file. Throws `cluster/unknown`, `cluster/file` and `usage/file`. */
export const clusterFrom = (text: string): Cluster =>
  existsSync(text) ? parseCluster(readDescription(text), text) : clusterNamed(text);
