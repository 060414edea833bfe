/** The devices of a cluster by what they do, ready to be searched. */
import { analyticCost } from "../../cluster/model/analytic.ts";
import { constantsOn } from "../../cluster/model/constants.ts";
import type { DecoderShape } from "../../cluster/model/decoder.ts";
import type { Demand } from "../../cluster/model/forecast.ts";
import { rankCount } from "../../cluster/mesh.ts";
import type { Layout } from "../../cluster/model/layout.ts";
import { layoutsOf } from "../../cluster/model/search.ts";
import { networkOf } from "../../cluster/model/links.ts";
import { floatMath, precisionOf, type Scheme } from "../../cluster/model/precision.ts";
import type { Pool } from "../../cluster/model/service.ts";
import { devicesOf, type Cluster, type Device } from "../../cluster/topology.ts";
import { profileOf } from "../target.ts";

export type Wanted = {
  readonly shape: DecoderShape;
  readonly scheme: Scheme | undefined;
  readonly demand: Demand;
  /** The layout to forecast, where it is not to be searched for. */
  readonly layout?: Layout;
};

/** A pool of devices of one kind. Throws `usage/unknown` where their profile is not known. */
export function poolOf(devices: readonly Device[], { shape, scheme, demand, layout }: Wanted): Pool {
  const profile = profileOf(devices[0]?.profile ?? "");
  const constants = constantsOn(profile);
  const machine = {
    cost: analyticCost(profile, constants),
    network: networkOf(devices),
    constants,
    float: floatMath(profile),
    imbalance: constants.imbalance.value,
  };
  const count = devices.length;
  const asked = layout && rankCount(layout.mesh) <= count ? [layout] : [];
  const layouts = layout ? asked : layoutsOf(shape, count);
  return {
    shape,
    precision: precisionOf(profile, scheme),
    machine,
    profile,
    demand,
    devices: count,
    layouts,
  };
}

/** Devices of one kind and role, in the order of ranks. */
export function fleetsOf(cluster: Cluster): readonly (readonly Device[])[] {
  const fleets = Map.groupBy(devicesOf(cluster), ({ profile, role }) => `${profile} ${role ?? ""}`);
  return [...fleets.values()];
}
