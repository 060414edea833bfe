import type { LayerMap } from "../expert-map.ts";

/**
 * Copies of experts on devices of given sizes: the heaviest first, each to the lightest device that has room and lacks the expert (LPT: Graham,
 * "Bounds on Multiprocessing Timing Anomalies", 1969).
 */
export function packGreedily(
  copies: readonly number[],
  share: (expert: number) => number,
  sizes: readonly number[],
): LayerMap {
  const held = sizes.map((): number[] => []);
  const loads = sizes.map(() => 0);
  for (const expert of copies.toSorted((a, b) => share(b) - share(a))) {
    const open = sizes.flatMap((size, d) => ((held[d]?.length ?? 0) < size ? [d] : []));
    const lacking = open.filter((d) => !held[d]?.includes(expert));
    const [first = 0, ...rest] = lacking.length > 0 ? lacking : open;
    const to = rest.reduce((best, d) => ((loads[d] ?? 0) < (loads[best] ?? 0) ? d : best), first);
    held[to]?.push(expert);
    loads[to] = (loads[to] ?? 0) + share(expert);
  }
  return held;
}

/** How many of `slots` each of `devices` has: as equal as they come. */
export const slotSizes = (slots: number, devices: number): readonly number[] =>
  Array.from(
    { length: devices },
    (_, d) => Math.floor((slots * (d + 1)) / devices) - Math.floor((slots * d) / devices),
  );
