import type { Message } from "../diagnostics.ts";

/** Faults of clusters and of what is placed on them. */
export const clusterCatalog = {
  "cluster/expert-map": (why: string): Message => ({
    exit: "usage",
    message: `the expert map is not understood: ${why}`,
    hint: "make one with: moec place ROUTING --cluster NAME -o FILE",
  }),
} as const;
