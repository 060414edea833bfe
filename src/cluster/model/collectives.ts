/** What ranks do together in a program, priced as exchanges over a cluster's links. */
import type { Device } from "../topology.ts";
import type { Constants } from "./constants.ts";
import { duration } from "./kernel.ts";
import { exchangeBetween, waysAmong, type Exchange, type Ways } from "./links.ts";

/** What a collective moves. Bytes of a sum are those that each rank brings, of a gathering those of the whole. */
export type Moved =
  | { readonly kind: "allReduce" | "reduceScatter" | "allGather"; readonly bytes: number }
  /** Tokens of each rank, the experts that each goes to, and what it takes. */
  | {
      readonly kind: "dispatch";
      readonly tokens: number;
      readonly topK: number;
      readonly bytesPerToken: number;
    }
  /** Answers that each rank sends back. */
  | { readonly kind: "combine"; readonly bytes: number }
  | { readonly kind: "send"; readonly bytes: number };

/** Prices of what the ranks of a group do together, in microseconds. */
export type Pricing = (group: readonly number[], moved: Moved) => number;

/** The expected number of ranks among `n` that hold an expert of a token whose `k` experts lie anywhere with the same chance. */
export const holders = (n: number, k: number): number => n * (1 - (1 - 1 / n) ** k);

/** What exchanges and rows cost on the devices of ranks, in the order of ranks; rows are addressed by so many vector cores. */
export function pricingOn(devices: readonly Device[], constants: Constants, vectorCores: number): Pricing {
  const known = new Map<string, Ways>();
  const waysOf = (group: readonly number[]): Ways => {
    const key = group.join();
    const ways = known.get(key) ?? waysAmong(group.flatMap((rank) => devices[rank] ?? []));
    known.set(key, ways);
    return ways;
  };
  return (group, moved) => {
    const ranks = group.length;
    const exchange = (bytes: number, joins = false): number =>
      duration(exchangeBetween(waysOf(group), { ranks, bytes, joins } satisfies Omit<Exchange, "name" | "stride">, constants)); // prettier-ignore
    switch (moved.kind) {
      case "allReduce":
        return 2 * exchange(moved.bytes, true);
      case "reduceScatter":
      case "allGather":
        return exchange(moved.bytes, true);
      case "dispatch": {
        const rows = moved.tokens * holders(ranks, moved.topK);
        const bytes = rows * (moved.bytesPerToken + constants.headerBytes.value);
        return (rows / vectorCores) * constants.rowMicroseconds.value + exchange(bytes);
      }
      case "combine":
        return exchange(moved.bytes);
      case "send":
        // One of two: an exchange sends its half to the other.
        return exchange(2 * moved.bytes);
    }
  };
}
