/** Prefill and decode together: which devices do which, and what a cluster then serves. */
import { rankCount } from "../mesh.ts";
import { formatLayout, type Layout } from "./layout.ts";
import { layerCount } from "./decoder.ts";
import type { Forecast, ForecastCase } from "./forecast.ts";
import { cacheOfSequence, totalBytes, type RankMemory } from "./memory.ts";
import { forecastsOf, frontier, usableBytes } from "./search.ts";

/** Most seconds between tokens of a sequence, and until the first. */
export type Limits = { readonly tpot?: number; readonly ttft?: number };

/** Devices of one kind. */
export type Pool = ForecastCase & {
  readonly devices: number;
  /** Those that are to be tried. */
  readonly layouts: readonly Layout[];
};

/** What the devices of one pool do in a service: a run of layers, all of them where there is no other. */
export type Station = {
  readonly pool: Pool;
  readonly layers: number;
  readonly forecast: Forecast;
  /** How often its layout stands beside itself. */
  readonly copies: number;
};

export type Service = {
  /** `split`: some devices prefill, others decode. `shared`: all do both, in turn. `stages`: so do pools that share the layers. */
  readonly kind: "split" | "shared" | "stages";
  readonly decode: readonly Station[];
  readonly prefill: readonly Station[];
  /** Seconds between tokens, and until the first. */
  readonly tpot: number;
  readonly ttft: number;
  readonly requestsPerSecond: number;
  /** Generated tokens a second of one device, over all that there are. */
  readonly tokensPerSecond: number;
};

/** Whose devices decode, and whose prefill; one pool may do both. */
type Pools = { readonly decode: Pool; readonly prefill: Pool };

export const within = (value: number, limit: number | undefined): boolean =>
  limit === undefined || value <= limit;

/** The best of each instance's size. */
function bestBySize(forecasts: readonly Forecast[]): readonly Forecast[] {
  const best = new Map<number, Forecast>();
  for (const it of forecasts) {
    const ranks = rankCount(it.layout.mesh);
    if (it.tokensPerSecond > (best.get(ranks)?.tokensPerSecond ?? 0)) best.set(ranks, it);
  }
  return [...best.values()];
}

/** Seconds to hand the cache of a prompt from the device that made it to one that decodes, over the farthest links. */
function handOver(it: ForecastCase, prefill: Forecast): number {
  const { pp } = prefill.layout.mesh;
  const memory = { ...it, layout: prefill.layout, constants: it.machine.constants };
  const bytes = pp * cacheOfSequence(memory, it.demand.promptLength);
  const ranks = it.machine.network.devices.length;
  return bytes * it.machine.network.ways({ ranks, stride: 1 }).flat.secondsPerByte;
}

/** How many requests a second `copies` of a layout take. */
const requests = (forecast: Forecast, tokens: number, copies: number): number =>
  (forecast.tokensPerSecond * rankCount(forecast.layout.mesh) * copies) / tokens;

const wholeModel = (pool: Pool, forecast: Forecast, copies: number): Station => ({
  pool,
  layers: layerCount(pool.shape),
  forecast,
  copies,
});

/** The memory of a device that decodes and, in turn, prefills. */
export const bothPhases = (decode: RankMemory, prefill: RankMemory): RankMemory => ({
  ...decode,
  workspace: Math.max(decode.workspace, prefill.workspace),
  communication: Math.max(decode.communication, prefill.communication),
});

/** Devices that prefill and devices that decode, as many of each as balance. */
function splitService(pools: Pools, all: number, decode: Forecast, prefill: Forecast): Service | undefined {
  const { promptLength, outputLength } = pools.decode.demand;
  const [decodeRanks, prefillRanks] = [rankCount(decode.layout.mesh), rankCount(prefill.layout.mesh)];
  const copiesBeside = (copies: number): number => {
    const left =
      pools.decode === pools.prefill ? pools.decode.devices - copies * decodeRanks : pools.prefill.devices;
    return Math.floor(left / prefillRanks);
  };
  let best: Service | undefined;
  for (let copies = 1; copies * decodeRanks <= pools.decode.devices; copies++) {
    const prefillCopies = copiesBeside(copies);
    const rate = Math.min(
      requests(decode, outputLength, copies),
      requests(prefill, promptLength, prefillCopies),
    );
    if (rate <= (best?.requestsPerSecond ?? 0)) continue;
    best = {
      kind: "split",
      decode: [wholeModel(pools.decode, decode, copies)],
      prefill: [wholeModel(pools.prefill, prefill, prefillCopies)],
      tpot: decode.latency,
      ttft: prefill.latency + handOver(pools.prefill, prefill),
      requestsPerSecond: rate,
      tokensPerSecond: (rate * outputLength) / all,
    };
  }
  return best;
}

/** The same devices do both: a batch of prompts comes between steps of decode, which then take so much longer. */
function sharedService(pool: Pool, all: number, decode: Forecast, prefill: Forecast): Service | undefined {
  const { promptLength, outputLength } = pool.demand;
  const memory = bothPhases(decode.memory, prefill.memory);
  if (totalBytes(memory) > usableBytes(pool)) return undefined;
  const copies = Math.floor(pool.devices / rankCount(decode.layout.mesh));
  const prefillTime = 1 / requests(prefill, promptLength, copies);
  const decodeTime = 1 / requests(decode, outputLength, copies);
  const rate = 1 / (prefillTime + decodeTime);
  return {
    kind: "shared",
    decode: [wholeModel(pool, { ...decode, memory }, copies)],
    prefill: [wholeModel(pool, { ...prefill, memory }, copies)],
    tpot: decode.latency / (decodeTime * rate),
    ttft: prefill.latency + decode.stepMicroseconds * 1e-6,
    requestsPerSecond: rate,
    tokensPerSecond: (rate * outputLength) / all,
  };
}

/** Services that no other beats in both tokens a second and time between tokens. */
function best(services: readonly Service[]): readonly Service[] {
  const sorted = services.toSorted((a, b) => a.tpot - b.tpot || b.tokensPerSecond - a.tokensPerSecond);
  let most = 0;
  return sorted.filter(({ tokensPerSecond }) => {
    const better = tokensPerSecond > most;
    most = Math.max(most, tokensPerSecond);
    return better;
  });
}

/** Everything that was found for a cluster. */
export type Search = {
  /** Forecasts that fit memory, whatever their time. */
  readonly decode: readonly Forecast[];
  readonly prefill: readonly Forecast[];
  /** The frontier of what keeps to the limit until the first token, in the order of time between tokens. */
  readonly services: readonly Service[];
};

/** Every service of pools: each that may decodes beside each that may prefill, or does both. `all` devices share the result. */
export function search(
  decoding: readonly Pool[],
  prefilling: readonly Pool[],
  all: number,
  limits: Limits,
): Search {
  const decode = new Map(decoding.map((pool) => [pool, forecastsOf(pool, "decode", pool.layouts)]));
  const prefill = new Map(prefilling.map((pool) => [pool, forecastsOf(pool, "prefill", pool.layouts)]));
  const services = [...decode].flatMap(([decodePool, decodes]) =>
    [...prefill].flatMap(([prefillPool, prefills]) => {
      const prompts = prefills.filter((it) => within(it.latency, limits.ttft));
      const pools = { decode: decodePool, prefill: prefillPool };
      const split = frontier(decodes).flatMap((d) =>
        bestBySize(prompts).flatMap((p) => splitService(pools, all, d, p) ?? []),
      );
      return decodePool === prefillPool
        ? [...split, ...sharedServices(decodePool, all, decodes, prompts)]
        : split;
    }),
  );
  return {
    decode: [...decode.values()].flat(),
    prefill: [...prefill.values()].flat(),
    services: best(services.filter((it) => within(it.ttft, limits.ttft))),
  };
}

/** A search with more services among those that it found. */
export const withServices = (found: Search, more: readonly Service[]): Search => ({
  ...found,
  services: best([...found.services, ...more]),
});

/** Every batch of decode with the best batch of prompts for the same layout. */
function sharedServices(
  pool: Pool,
  all: number,
  decodes: readonly Forecast[],
  prompts: readonly Forecast[],
): readonly Service[] {
  const byLayout = new Map<string, Forecast>();
  for (const it of prompts) {
    const key = formatLayout(it.layout);
    if (it.tokensPerSecond > (byLayout.get(key)?.tokensPerSecond ?? 0)) byLayout.set(key, it);
  }
  return decodes.flatMap((d) => {
    const p = byLayout.get(formatLayout(d.layout));
    return (p && sharedService(pool, all, d, p)) ?? [];
  });
}

/** The service of most tokens a second that keeps to the limits; undefined where none does. */
export const choose = ({ services }: Search, { tpot }: Limits): Service | undefined =>
  services.findLast((it) => within(it.tpot, tpot));
