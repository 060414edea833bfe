import type { Message } from "../diagnostics.ts";

/** Faults of clusters and of what is placed on them. */
export const clusterCatalog = {
  "cluster/expert-map": (why: string): Message => ({
    exit: "usage",
    message: `the expert map is not understood: ${why}`,
    hint: "make one with: moec place ROUTING --cluster NAME -o FILE",
  }),
  "cluster/indivisible": (what: string, size: number, parts: number): Message => ({
    exit: "usage",
    message: `${size} ${what} cannot be shared between ${parts} ranks`,
    hint: "choose fewer tensor ranks (tp), and expert ranks (ep) or stages (pp) instead",
  }),
  "cluster/torn-group": (column: number, unit: number): Message => ({
    exit: "usage",
    message: `ranks would part a matrix at column ${column}, within ${unit} columns that share a scale or a rotation`,
    hint: "choose another number of tensor ranks (tp), or smaller groups (--quant)",
  }),
  "cluster/stages": (stages: number, layers: number): Message => ({
    exit: "usage",
    message: `${layers} layers cannot be cut into ${stages} stages`,
    hint: "choose fewer stages (pp)",
  }),
} as const;
