/** `--cluster`: the layouts of a model on a cluster, what each delivers, and the one to take. */
import { rankCount } from "../../cluster/mesh.ts";
import type { Demand, Forecast } from "../../cluster/model/forecast.ts";
import { formatLayout, headRanks, stageRanks, type Layout } from "../../cluster/model/layout.ts";
import { figuresOfWay, networkOf } from "../../cluster/model/links.ts";
import type { Scheme } from "../../cluster/model/precision.ts";
import { layoutOfMesh } from "../../cluster/model/search.ts";
import {
  choose,
  search,
  withServices,
  type Limits,
  type Pool,
  type Search,
  type Service,
} from "../../cluster/model/service.ts";
import { stagedServices } from "../../cluster/model/stages.ts";
import { deviceCount, devicesOf, type Cluster, type Role } from "../../cluster/topology.ts";
import type { Figure } from "../../support/figure.ts";
import { fail } from "../../support/diagnostics.ts";
import { time } from "../../support/text.ts";
import { contextOf } from "../context.ts";
import { openModel } from "../model.ts";
import type { Parallel } from "../ranks/ranks.ts";
import { shapeOf } from "./decoder-shape.ts";
import { demandOf, type AskedDemand } from "./demand.ts";
import { fleetsOf, poolOf, type Wanted } from "./pools.ts";
import type { Repriced } from "./simulated.ts";
import { tooLarge } from "./too-large.ts";

export type ForecastRequest = {
  readonly cluster: Cluster;
  readonly scheme: Scheme | undefined;
  readonly demand: Demand;
  readonly limits: Limits;
};

/** What a user asks for: a mesh, where it is not to be searched for; the longest sequence; lengths of requests. */
export type AskedForecast = Omit<ForecastRequest, "demand"> & {
  readonly parallel: Parallel | undefined;
  readonly context: number | undefined;
  readonly demand: AskedDemand;
};

export type ClusterForecast = ForecastRequest & {
  readonly devices: number;
  readonly search: Search;
  readonly chosen: Service;
  /** The chosen layouts with kernels timed on schedules; absent where that was not asked for. */
  readonly repriced?: readonly Repriced[];
};

/** The forecast of a checkpoint on a cluster. Throws `cluster/too-small`, `cluster/too-slow`, and `usage/value` where sequences are longer than the model knows. */
export function forecastModel(
  path: string,
  { parallel, context, ...request }: AskedForecast,
): ClusterForecast {
  const { config } = openModel(path);
  const most = config.maxPositions;
  const demand = demandOf(request.demand, contextOf({ asked: context, usual: most, most }));
  const shape = shapeOf(config);
  const layout = parallel && layoutOfMesh(shape, parallel.mesh, parallel.redundantExperts);
  return forecastShape({ ...request, demand, shape, ...(layout && { layout }) });
}

/** The forecast of a decoder by its sizes. */
export function forecastShape(request: ForecastRequest & Wanted): ClusterForecast {
  const { cluster, limits } = request;
  const fleets = fleetsOf(cluster);
  const devices = deviceCount(cluster.group);
  const pools = fleets.map((it) => poolOf(it, request));
  const able = (not: Role): readonly Pool[] => pools.filter((_, i) => fleets[i]?.[0]?.role !== not);
  const [decoding, prefilling] = [able("prefill"), able("decode")];
  const alone = search(decoding, prefilling, devices, limits);
  const joined = stagedServices(
    decoding.filter((it) => prefilling.includes(it)),
    networkOf(devicesOf(cluster)),
    limits,
  );
  const found = withServices(alone, joined);
  if (found.services.length === 0 && found.decode.length === 0) return tooLarge(decoding, cluster.name);
  if (found.services.length === 0 && found.prefill.length === 0) return tooLarge(prefilling, cluster.name);
  const chosen = choose(found, limits);
  if (!chosen) return tooSlow(found, limits);
  return { ...request, devices, search: found, chosen };
}

/** Throws `cluster/too-slow`: what the fastest takes. */
function tooSlow({ decode, prefill }: Search, { tpot, ttft }: Limits): never {
  const fastest = (of: readonly Forecast[]): Forecast | undefined =>
    of.reduce((a: Forecast | undefined, b) => (a && a.latency <= b.latency ? a : b), undefined);
  const [token, prompt] = [fastest(decode), fastest(prefill)];
  const told = (it: Forecast | undefined): string =>
    it ? `${time(it.latency)} (${formatLayout(it.layout)})` : "none";
  return fail(
    "cluster/too-slow",
    undefined,
    [
      ...(tpot === undefined ? [] : [`--tpot ${time(tpot)}`]),
      ...(ttft === undefined ? [] : [`--ttft ${time(ttft)}`]),
    ],
    told(token),
    told(prompt),
  );
}

/** Ranks whose links a layout uses. */
const ways = (layout: Layout) => [
  { ranks: stageRanks(layout), stride: 1 },
  { ranks: layout.mesh.tp, stride: 1 },
  { ranks: layout.mesh.ep, stride: layout.mesh.tp },
  { ranks: headRanks(layout), stride: 1 },
  ...(layout.mesh.pp > 1 ? [{ ranks: 2, stride: stageRanks(layout) }] : []),
];

/** The figures that the times of a forecast rest on. */
export function figuresBehind(pool: Pool, { layout, phase, microBatches }: Forecast): readonly Figure[] {
  const { cost, network, constants } = pool.machine;
  const exchanges = rankCount(layout.mesh) > 1 ? [constants.waitMicroseconds, constants.peerMicroseconds, constants.rowMicroseconds] : []; // prettier-ignore
  return [
    ...new Set([
      ...cost.figures,
      ...ways(layout).flatMap((it) => figuresOfWay(network, it)),
      ...exchanges,
      constants.imbalance,
      constants.stepMicroseconds,
      ...(microBatches > 1 ? [constants.hidden] : []),
      ...(phase === "decode" && pool.shape.predictionLayers > 0 ? [constants.accepted] : []),
    ]),
  ];
}
