import { attentionChooser, tileChooser } from "../../../targets/device/search/chooser.ts";
import type { TileMemory } from "../../../targets/device/search/remembered.ts";
import { precisionOf } from "../../../targets/device/precision.ts";
import {
  deviceTarget,
  type DeviceCode,
  type DeviceLowering,
  type RankOnDevice,
} from "../../../targets/device/target.ts";
import { formatCluster } from "../../cluster/cluster-file.ts";
import { rankCount } from "../../cluster/mesh.ts";
import type { Cluster } from "../../cluster/topology.ts";
import type { Module } from "../../ir/graph.ts";
import { printModule } from "../../ir/printer.ts";
import type { Profile } from "../../machine/profile.ts";
import { printKernel } from "../../machine/schedule/printer.ts";
import { noMemory, type RankMemory } from "../../plan/manifest.ts";
import { scheduleFaults } from "../../plan/check-schedules.ts";
import { channelsOf, type Channel } from "../../plan/program/channels.ts";
import { collectivesOf, profileFile, scheduleFile, type DevicePlan } from "../../plan/program/device.ts";
import { formatDevicePlan } from "../../plan/program/device-file.ts";
import { workspaceOf } from "../../plan/program/live.ts";
import { scratchOf } from "../../plan/program/scratch.ts";
import { rememberingVerifier, type VerifiedKernels, type Verifier } from "../../plan/verified-kernels.ts";
import type { FileMaker } from "../../plan/write-plan.ts";
import { memoryOfChannels } from "../../runtime/ranks/fabric.ts";
import { fail } from "../../support/diagnostics.ts";
import { byteLength } from "../../tensor/dtype.ts";
import type { PlanSizes, TargetParts } from "../cpu-parts.ts";
import { checkFit } from "../ranks/fit.ts";
import { phaseTimes } from "./phase-times.ts";
import { hcclBuffSizeOf, shardModule, type Parallel } from "../ranks/ranks.ts";

/** A device to compile for: what it is, the tiles that are known for it, how many are tried of those that are not, and the kernels known as legal. */
export type Device = {
  readonly profile: Profile;
  /** The devices of a cluster that ranks are, where one was named, each with a profile of its own. */
  readonly fleet?: Fleet;
  readonly tiles: TileMemory;
  readonly trials: number;
  readonly verified: VerifiedKernels;
};

/** Devices of a cluster by rank: their numbers there, and what they are. */
export type Fleet = {
  readonly cluster: Cluster;
  readonly devices: readonly { readonly number: number; readonly profile: Profile }[];
};

/** The file of a plan that holds the cluster it was compiled for. */
export const clusterFile = "cluster.json";

/** What the simulated device holds a number in, whatever it takes on the chip. */
const simulatedBytes = 4;

/** What the modules of ranks become on their devices, their products cut as the search finds best. */
export const deviceCode = (
  ranks: readonly RankOnDevice[],
  { tiles, trials }: Pick<Device, "tiles" | "trials">,
  { isQuantized, ...sizes }: Pick<DeviceLowering, "context" | "batchTokens" | "groups"> & { readonly isQuantized: boolean }, // prettier-ignore
): DeviceCode =>
  deviceTarget(ranks, {
    precision: (it) => precisionOf(it, isQuantized),
    tiles: (it) => tileChooser(it, trials, tiles),
    attentionTiles: (it) => attentionChooser(it, tiles),
    ...sizes,
  });

/**
 * What each rank's device launches, its schedules as texts, and its profile. Throws `target/activations` where the machine multiplies no dtype
 * that activations are kept in, `target/schedule` where what was made is not legal, `cluster/memory` where a rank needs more than its device or
 * `memoryPerRank` has.
 */
export function deviceParts(
  module: Module,
  parallel: Parallel,
  { profile: single, fleet, tiles, trials, verified }: Device,
  isQuantized: boolean,
  { context, batchTokens, memoryPerRank }: PlanSizes,
): TargetParts {
  const profiles = Array.from({ length: rankCount(parallel.mesh) }, (_, rank) => fleet?.devices[rank]?.profile ?? single); // prettier-ignore
  const names = [...new Set(profiles.map((it) => it.name))].join(" + ");
  const modules = shardModule(module, parallel);
  const own = modules.flatMap((it, rank) => (profiles[rank] ? [{ module: it, profile: profiles[rank] }] : [])); // prettier-ignore
  const target = deviceCode(own, { tiles, trials }, { isQuantized, context, batchTokens, groups: parallel.mesh.dp }); // prettier-ignore
  checkSchedules(target, profiles, context, rememberingVerifier(verified));
  const exchanged = channelsOf(target.plans.map((it) => it.programs.map((p) => collectivesOf(p))));
  const memory = target.plans.map((it, rank) => {
    const channels = exchanged.filter(({ group }) => group.includes(rank));
    return memoryOf(it, channels, context, scratchOf(it, target.kernels, profiles[rank] ?? single, context));
  });
  const limits = profiles.map((it) => Math.min(memoryPerRank, it.memory.capacity.value));
  checkFit({ mesh: parallel.mesh, modules, memory, context, limits });
  const text = new TextEncoder();
  const files = new Map<string, FileMaker>();
  if (fleet) files.set(clusterFile, () => text.encode(formatCluster(fleet.cluster)));
  for (const it of new Set(profiles))
    files.set(profileFile(it.name), () => text.encode(`${JSON.stringify(it, undefined, 1)}\n`));
  for (const [name, kernel] of target.kernels)
    files.set(scheduleFile(name), () => text.encode(printKernel(kernel)));
  const ranks = target.plans.map((plan, rank) => {
    const own = modules[rank];
    if (own && own !== module) files.set(`rank-${rank}.mir`, () => text.encode(printModule(own)));
    const programs = `rank-${rank}.json`;
    files.set(programs, () => text.encode(formatDevicePlan(plan)));
    const hcclBuffSizeMB = hcclBuffSizeOf(
      plan.programs.map((it) => collectivesOf(it, () => simulatedBytes)),
      parallel.mesh,
    );
    return {
      programs,
      caches: cachesOf(plan),
      memory: memory[rank] ?? noMemory,
      ...(hcclBuffSizeMB !== undefined && { hcclBuffSizeMB }),
      ...(fleet?.devices[rank] && { device: fleet.devices[rank].number }),
    };
  });
  const channels = channelsOf(target.plans.map((it) => it.programs.map((p) => collectivesOf(p, () => simulatedBytes)))); // prettier-ignore
  const head = {
    target: names,
    machine: names,
    mesh: parallel.mesh,
    ranks,
    channels: channels.map(({ group, bytes }) => ({ group: [...group], bytes })),
  };
  const [first] = target.plans;
  const times = () => phaseTimes(first?.programs ?? [], target.kernels, profiles[0] ?? single, context);
  return { head, weights: target.weights, files, phaseTimes: times };
}

/** Throws `target/schedule` where a kernel is not legal on its machine; nothing that cannot run is written. */
function checkSchedules(
  { plans, kernels }: DeviceCode,
  profiles: readonly Profile[],
  context: number,
  verify: Verifier,
): void {
  for (const profile of new Set(profiles)) {
    const own = plans.filter((_, rank) => profiles[rank] === profile);
    const [first] = scheduleFaults(own, kernels, profile, context, verify);
    if (first) fail("target/schedule", undefined, profile.name, first.fault);
  }
}

const cachesOf = ({ caches }: DevicePlan) =>
  caches.map(({ name, dtype, cols }) => ({ name, rowBytes: byteLength(dtype, cols) }));

/** What a rank's device holds, in bytes, for sequences of `context` positions. */
function memoryOf(
  own: DevicePlan,
  channels: readonly Channel[],
  context: number,
  scratch: number,
): RankMemory {
  return {
    weights: own.weights.reduce((n, it) => n + byteLength(it.dtype, it.elements), 0),
    cache: cachesOf(own).reduce((n, it) => n + it.rowBytes * context, 0),
    workspace: workspaceBytes(own),
    scratch,
    communication: memoryOfChannels(channels),
  };
}

/** Room for the buffers of the larger phase. */
const workspaceBytes = ({ programs }: DevicePlan): number => Math.max(...programs.map(workspaceOf));
