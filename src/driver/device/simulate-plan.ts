/** How long a device plan takes, its ranks on the devices of a cluster. */
import { parseCluster } from "../../cluster/cluster-file.ts";
import { clusterFor } from "../../cluster/cluster-name.ts";
import { pricingOn, type Pricing } from "../../cluster/model/collectives.ts";
import { constantsOn } from "../../cluster/model/constants.ts";
import { devicesOf, type Cluster, type Device } from "../../cluster/topology.ts";
import { coreCount } from "../../machine/rates.ts";
import type { Call } from "../../plan/program/device.ts";
import type { Plan } from "../../plan/read-plan.ts";
import { loadDevice, type Loaded } from "../../runtime/device/device.ts";
import { simulate, type RankTime } from "../../runtime/device/step.ts";
import { fail } from "../../support/diagnostics.ts";
import { clusterFile } from "./parts.ts";

/** A step of a plan: every rank's time, and the cluster whose links its exchanges were priced by; a plan of one rank has none. */
export type SimulatedStep = {
  readonly ranks: readonly RankTime[];
  readonly loaded: readonly Loaded[];
  readonly cluster: Cluster | undefined;
};

/** The cluster of a plan: the one it was compiled for, else what such devices usually are. Throws `run/no-cluster`. */
function clusterOf(plan: Plan, machine: string): Cluster {
  const { ranks, files } = plan.manifest;
  if (clusterFile in files) return parseCluster(plan.read(clusterFile).toString(), plan.file(clusterFile));
  return clusterFor(machine, ranks.length) ?? fail("run/no-cluster", undefined, machine);
}

/** The device of each rank: the one the plan says, else the cluster's in their order. Throws `run/small-cluster`. */
function devicesFor({ manifest }: Plan, cluster: Cluster, isOwn: boolean): readonly Device[] {
  const devices = devicesOf(cluster);
  const { ranks } = manifest;
  return ranks.map(({ device }, rank) => {
    const number = isOwn ? (device ?? rank) : rank;
    return (
      devices[number] ?? fail("run/small-cluster", undefined, cluster.name, devices.length, ranks.length)
    );
  });
}

/** What the exchanges of a plan's ranks cost; waiting and addressing rows takes what it does on the first rank's device. */
function pricing(plan: Plan, cluster: Cluster, isOwn: boolean, { profile }: Loaded): Pricing {
  const vectorCores = coreCount(profile, profile.vector.core);
  return pricingOn(devicesFor(plan, cluster, isOwn), constantsOn(profile), vectorCores);
}

/** Time a call of a plan's program, its exchanges priced by the links of `given`, or of the plan's own cluster. */
export function simulatePlan(plan: Plan, phase: string, call: Call, given?: Cluster): SimulatedStep {
  const loaded = plan.manifest.ranks.map((_, rank) => loadDevice(plan, rank));
  const [first] = loaded;
  if (!first) return fail("plan/damaged", undefined, "plan.json", "it has no ranks");
  const cluster = loaded.length > 1 ? (given ?? clusterOf(plan, first.profile.name)) : undefined;
  const price = cluster ? pricing(plan, cluster, given === undefined, first) : () => 0;
  return { ranks: simulate(loaded, phase, call, price), loaded, cluster };
}
