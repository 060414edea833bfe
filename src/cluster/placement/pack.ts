import type { Random } from "../../support/random.ts";
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

/**
 * Exchange copies between the fullest device and others, each time the best pair, until none is fuller than `limit` or nothing helps. From time to
 * time a local optimum is left by random exchanges, `restarts` times at most. Gives undefined where the limit is not reached.
 */
export function evenBySwaps(
  start: LayerMap,
  share: (expert: number) => number,
  limit: number,
  restarts: number,
  random: Random,
): LayerMap | undefined {
  const held = start.map((it) => [...it]);
  const loads = held.map((it) => it.reduce((n, e) => n + share(e), 0));
  const swap = (a: number, i: number, b: number, j: number): void => {
    const [x, y] = [held[a]?.[i] ?? 0, held[b]?.[j] ?? 0];
    held[a]?.splice(i, 1, y);
    held[b]?.splice(j, 1, x);
    loads[a] = (loads[a] ?? 0) + share(y) - share(x);
    loads[b] = (loads[b] ?? 0) + share(x) - share(y);
  };
  const isLegal = (a: number, x: number, b: number, y: number): boolean =>
    x !== y && !held[a]?.includes(y) && !held[b]?.includes(x);
  for (let tries = 0; ; tries++) {
    for (;;) {
      const full = loads.reduce((most, load, d) => (load > (loads[most] ?? 0) ? d : most), 0);
      let least = loads[full] ?? 0;
      if (least <= limit) return held;
      let found: readonly [number, number, number] | undefined;
      held[full]?.forEach((x, i) =>
        held.forEach((others, b) => {
          if (b === full) return;
          others.forEach((y, j) => {
            const moved = share(x) - share(y);
            const after = Math.max((loads[full] ?? 0) - moved, (loads[b] ?? 0) + moved);
            if (after >= least || !isLegal(full, x, b, y)) return;
            [least, found] = [after, [i, b, j]];
          });
        }),
      );
      if (!found) break;
      swap(full, ...found);
    }
    if (tries === restarts || held.length < 2) return undefined;
    for (let kick = 0; kick < 3; kick++) {
      const a = random.below(held.length);
      const b = (a + 1 + random.below(held.length - 1)) % held.length;
      const [i, j] = [random.below(held[a]?.length ?? 1), random.below(held[b]?.length ?? 1)];
      if (isLegal(a, held[a]?.[i] ?? 0, b, held[b]?.[j] ?? 0)) swap(a, i, b, j);
    }
  }
}

/** How many of `slots` each of `devices` has: as equal as they come. */
export const slotSizes = (slots: number, devices: number): readonly number[] =>
  Array.from(
    { length: devices },
    (_, d) => Math.floor((slots * (d + 1)) / devices) - Math.floor((slots * d) / devices),
  );
