/** A forecast as scripts read it. Every number is rounded to four digits: more would say more than is known. */
import { formatMesh } from "../../cluster/mesh.ts";
import { joulesPerToken, type Forecast } from "../../cluster/model/forecast.ts";
import { totalBytes } from "../../cluster/model/memory.ts";
import { usableBytes } from "../../cluster/model/search.ts";
import type { Limits, Service, Station } from "../../cluster/model/service.ts";
import { figuresBehind, type ClusterForecast } from "../../driver/forecast/forecast.ts";
import type { Repriced } from "../../driver/forecast/simulated.ts";
import { leastSure, type Figure } from "../../support/figure.ts";

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

/** The station that a phase waits for. */
export function slowest(stations: readonly Station[]): Forecast {
  const [first, ...rest] = stations.map((it) => it.forecast);
  if (!first) throw new RangeError("a service has stations");
  return rest.reduce((a, b) => (b.stepMicroseconds > a.stepMicroseconds ? b : a), first);
}

/** What keeps a larger batch of the same layout out. */
export function bindsBatch({ decode }: Service, found: readonly Forecast[], { tpot }: Limits): string {
  const { layout, sequences } = slowest(decode);
  const larger = found.filter((it) => it.layout === layout && it.sequences > sequences);
  if (larger.length === 0) return "does not fit memory";
  return tpot !== undefined && larger.every((it) => it.latency > tpot)
    ? "takes too long between tokens"
    : "gains nothing";
}

/** Memory of the fullest device. */
export const fullest = ({ decode, prefill, kind }: Service): number =>
  Math.max(...[...decode, ...(kind === "split" ? prefill : [])].map((it) => totalBytes(it.forecast.memory)));

const layoutReport = ({ layout, sequences, microBatches }: Forecast) => ({
  parallel: formatMesh(layout.mesh),
  redundantExperts: layout.redundantExperts,
  sharedExpertRanks: layout.sharedRanks,
  sequencesPerDevice: round(sequences),
  microBatches,
});

function stationReport({ pool, layers, forecast, copies }: Station) {
  return {
    ...layoutReport(forecast),
    device: pool.profile.name,
    layers,
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
export function joulesOfService({ decode, prefill }: Service): number {
  const of = (stations: readonly Station[]): number =>
    stations.reduce((n, { pool, forecast }) => n + joulesPerToken(pool, forecast), 0);
  const { promptLength = 0, outputLength = 1 } = decode[0]?.pool.demand ?? {};
  return of(decode) + (of(prefill) * promptLength) / outputLength;
}

const rests = (figures: readonly Figure[]) => ({
  confidence: leastSure(figures),
  figures: [...new Set(figures)],
});

/** A line of the frontier. */
const serviceReport = (service: Service) => ({
  kind: service.kind,
  decode: service.decode.map((it) => layoutReport(it.forecast)),
  prefill: service.prefill.map((it) => layoutReport(it.forecast)),
  tokensPerSecondPerDevice: round(service.tokensPerSecond),
  requestsPerSecond: round(service.requestsPerSecond),
  tpotMilliseconds: round(service.tpot * 1e3),
  ttftMilliseconds: round(service.ttft * 1e3),
  memoryBytes: whole(fullest(service)),
  joulesPerToken: round(joulesOfService(service)),
  binds: bindsStep(slowest(service.decode)),
});

/** A chosen layout with kernels timed on schedules, beside what it is by the analytic model. */
const repricedReport = ({ phase, station, simulated, kernels }: Repriced) => ({
  phase,
  ...layoutReport(simulated),
  device: station.pool.profile.name,
  stepMilliseconds: round(simulated.stepMicroseconds / 1e3),
  analyticStepMilliseconds: round(station.forecast.stepMicroseconds / 1e3),
  latencyMilliseconds: round(simulated.latency * 1e3),
  tokensPerSecondPerDevice: round(simulated.tokensPerSecond),
  restsOn: [...new Set(kernels.map((it) => it.restsOn))],
  kernels: kernels.map((it) => ({
    name: it.name,
    analyticMicroseconds: round(it.analyticMicroseconds),
    ...(it.simulatedMicroseconds !== undefined && {
      simulatedMicroseconds: round(it.simulatedMicroseconds),
    }),
    restsOn: it.restsOn,
  })),
});

/** The whole forecast. */
export function forecastReport(it: ClusterForecast) {
  const { chosen, limits } = it;
  const stations = [...chosen.decode, ...chosen.prefill];
  const time = stations.flatMap(({ pool, forecast }) => figuresBehind(pool, forecast));
  const memory = stations.flatMap(({ pool }) => [
    pool.profile.memory.capacity,
    pool.machine.constants.memoryUse,
  ]);
  const energy = stations.flatMap(({ pool: { profile } }) => [
    ...profile.energy.macs.map((it) => it.picojoules),
    profile.energy.vectorByte,
    profile.energy.watts,
  ]);
  return {
    cluster: { name: it.cluster.name, devices: it.devices },
    quantization: stations[0]?.pool.precision.name,
    demand: it.demand,
    limits,
    chosen: {
      ...serviceReport(chosen),
      batchBinds: bindsBatch(chosen, it.search.decode, limits),
      decode: chosen.decode.map(stationReport),
      prefill: chosen.prefill.map(stationReport),
    },
    frontier: it.search.services.map(serviceReport),
    ...(it.repriced && { simulated: it.repriced.map(repricedReport) }),
    restsOn: {
      kernels: "analytic model",
      time: rests(time),
      memory: rests(memory),
      energy: rests(energy),
    },
  };
}
