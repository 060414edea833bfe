/** Which devices of a cluster the ranks of a plan are. */
import { formatMesh, rankCount, type Mesh } from "../../cluster/mesh.ts";
import type { Phase } from "../../cluster/model/layer/work.ts";
import type { Station } from "../../cluster/model/service.ts";
import type { Cluster, Device as Leaf } from "../../cluster/topology.ts";
import { fail } from "../../support/diagnostics.ts";
import type { ClusterForecast } from "../forecast/forecast.ts";
import { fleetsOf } from "../forecast/pools.ts";

/** The device of each rank. */
export type Placed = { readonly cluster: Cluster; readonly devices: readonly Leaf[] };

/** Whether a cluster has devices of several kinds that all do the same work, and so share the layers. */
export const sharesLayers = (cluster: Cluster): boolean => {
  const fleets = fleetsOf(cluster);
  return fleets.length > 1 && fleets.every(([first]) => first?.role === undefined);
};

/** The ranks of a mesh on the devices of several kinds: each kind has as many stages, one after the other. Throws `cluster/shared-stages`. */
export function placedByStages(cluster: Cluster, mesh: Mesh): Placed {
  const fleets = fleetsOf(cluster);
  const each = rankCount(mesh) / fleets.length;
  const isFitting = mesh.pp % fleets.length === 0 && fleets.every((it) => it.length >= each);
  if (!isFitting)
    fail("cluster/shared-stages", { kind: "flag", flag: "--parallel" }, formatMesh(mesh), fleets.map((it) => `${it.length}x ${it[0]?.profile}`)); // prettier-ignore
  return { cluster, devices: fleets.flatMap((it) => it.slice(0, each)) };
}

/** The devices of a station of a forecast. */
export const placedByForecast = ({ cluster }: ClusterForecast, { pool, forecast }: Station): Placed => ({
  cluster,
  devices: pool.machine.network.devices.slice(0, rankCount(forecast.layout.mesh)),
});

/** What to make plans for in a forecast: the devices that decode, and those that prefill where they are others. Throws `cluster/stages-differ` where one phase is of several kinds of devices. */
export function stationsOf({ chosen }: ClusterForecast): ReadonlyMap<Phase, Station> {
  const [decode, prefill] = [chosen.decode, chosen.prefill].map((of) => {
    const [station, ...others] = of;
    return station && others.length === 0 ? station : fail("cluster/stages-differ", undefined);
  });
  const stations = new Map<Phase, Station>();
  if (decode) stations.set("decode", decode);
  if (prefill && prefill.pool !== decode?.pool) stations.set("prefill", prefill);
  return stations;
}
