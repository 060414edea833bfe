/** A forecast as scripts read it. Every number is rounded to four digits: more would say more than is known. */
import { formatMesh } from "../../cluster/mesh.ts";
import { joulesPerToken, type Forecast } from "../../cluster/model/forecast.ts";
import { totalBytes } from "../../cluster/model/memory.ts";
import { usableBytes } from "../../cluster/model/search.ts";
import type { Limits, Pool, Service } from "../../cluster/model/service.ts";
import { figuresBehind, type ClusterForecast } from "../../driver/forecast/forecast.ts";
import { leastSure, type Figure } from "../../machine/figure.ts";

const round = (n: number): number => Number(n.toPrecision(4));
const whole = (n: number): number => Math.round(n);

/** What a device's busiest means is, in words. */
const means = {
  matrix: "arithmetic",
  memory: "memory bandwidth",
  network: "links",
  fixed: "starting kernels and waiting for other ranks",
} as const;

/** What takes most of a step. */
export function bindsStep({ busy }: Forecast): string {
  const names = ["matrix", "memory", "network", "fixed"] as const;
  return means[names.reduce((a, b) => (busy[b] > busy[a] ? b : a))];
}

/** What keeps a larger batch of the same layout out. */
export function bindsBatch({ decode }: Service, found: readonly Forecast[], { tpot }: Limits): string {
  const isLarger = (it: Forecast): boolean => it.layout === decode.layout && it.sequences > decode.sequences;
  const larger = found.filter(isLarger);
  if (larger.length === 0) return "does not fit memory";
  return tpot !== undefined && larger.every((it) => it.latency > tpot)
    ? "takes too long between tokens"
    : "gains nothing";
}

const layoutReport = ({ layout, sequences, microBatches }: Forecast) => ({
  parallel: formatMesh(layout.mesh),
  redundantExperts: layout.redundantExperts,
  sharedExpertRanks: layout.sharedRanks,
  sequencesPerDevice: round(sequences),
  microBatches,
});

function phaseReport(pool: Pool, forecast: Forecast, copies: number) {
  return {
    ...layoutReport(forecast),
    device: pool.profile.name,
    copies,
    tokensPerSecondPerDevice: round(forecast.tokensPerSecond),
    stepMilliseconds: round(forecast.stepMicroseconds / 1e3),
    busyMilliseconds: {
      arithmetic: round(forecast.busy.matrix / 1e3),
      memory: round(forecast.busy.memory / 1e3),
      links: round(forecast.busy.network / 1e3),
      fixed: round(forecast.busy.fixed / 1e3),
    },
    binds: bindsStep(forecast),
    memory: {
      ...Object.fromEntries(Object.entries(forecast.memory).map(([what, size]) => [what, whole(size)])),
      total: whole(totalBytes(forecast.memory)),
      limit: whole(usableBytes(pool)),
    },
    joulesPerToken: round(joulesPerToken(pool, forecast)),
  };
}

/** Joules of a generated token, its share of the prompt's among them. */
export function joulesOfService({ decode, prefill, pools }: Service): number {
  const { promptLength, outputLength } = pools.decode.demand;
  return (
    joulesPerToken(pools.decode, decode) +
    (joulesPerToken(pools.prefill, prefill) * promptLength) / outputLength
  );
}

const rests = (figures: readonly Figure[]) => ({ confidence: leastSure(figures), figures });

/** A line of the frontier. */
const serviceReport = (service: Service) => ({
  kind: service.kind,
  decode: layoutReport(service.decode),
  prefill: layoutReport(service.prefill),
  tokensPerSecondPerDevice: round(service.tokensPerSecond),
  requestsPerSecond: round(service.requestsPerSecond),
  tpotMilliseconds: round(service.tpot * 1e3),
  ttftMilliseconds: round(service.ttft * 1e3),
  memoryBytes: whole(totalBytes(service.memory)),
  joulesPerToken: round(joulesOfService(service)),
  binds: bindsStep(service.decode),
});

/** The whole forecast. */
export function forecastReport(it: ClusterForecast) {
  const { chosen, limits } = it;
  const { decode: decodePool, prefill: prefillPool } = chosen.pools;
  const time = [
    ...new Set([...figuresBehind(decodePool, chosen.decode), ...figuresBehind(prefillPool, chosen.prefill)]),
  ];
  const { energy, memory } = decodePool.profile;
  return {
    cluster: { name: it.cluster.name, devices: it.devices },
    quantization: decodePool.precision.name,
    demand: it.demand,
    limits,
    chosen: {
      ...serviceReport(chosen),
      batchBinds: bindsBatch(chosen, it.search.decode, limits),
      decode: phaseReport(decodePool, chosen.decode, chosen.decodeCopies),
      prefill: phaseReport(prefillPool, chosen.prefill, chosen.prefillCopies),
    },
    frontier: it.search.services.map(serviceReport),
    restsOn: {
      time: rests(time),
      memory: rests([memory.capacity, decodePool.machine.constants.memoryUse]),
      energy: rests([...energy.macs.map((m) => m.picojoules), energy.vectorByte, energy.watts]),
    },
  };
}
