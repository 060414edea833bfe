import { tileChooser } from "../../../targets/device/search/chooser.ts";
import type { TileMemory } from "../../../targets/device/search/remembered.ts";
import { precisionOf } from "../../../targets/device/precision.ts";
import { deviceTarget } from "../../../targets/device/target.ts";
import { rankCount } from "../../cluster/mesh.ts";
import type { Module, Param } from "../../ir/graph.ts";
import type { Profile } from "../../machine/profile.ts";
import { printKernel } from "../../machine/schedule/printer.ts";
import { callSize, profileFile, scheduleFile, type DevicePlan } from "../../plan/program/device.ts";
import { formatDevicePlan } from "../../plan/program/device-file.ts";
import { storedForm } from "../../plan/stored-weight.ts";
import type { FileMaker } from "../../plan/write-plan.ts";
import { fail } from "../../support/diagnostics.ts";
import { byteLength } from "../../tensor/dtype.ts";
import type { PlanSizes, TargetParts } from "../cpu-parts.ts";
import { checkFit } from "../ranks/fit.ts";
import type { Parallel } from "../ranks/ranks.ts";

const programsFile = "rank-0.json";

/** A device to compile for: what it is, the tiles that are known for it, and how many are tried of those that are not. */
export type Device = {
  readonly profile: Profile;
  readonly tiles: TileMemory;
  readonly trials: number;
};

/**
 * What a device launches, its schedules as texts, and its profile. Throws `target/ranks` where several ranks are
 * asked for, `target/caches` where caches hold codes, `target/activations` where the machine multiplies no dtype that activations are kept in.
 */
export function deviceParts(
  module: Module,
  parallel: Parallel,
  { profile, tiles, trials }: Device,
  isQuantized: boolean,
  { context, batchTokens, memoryPerRank }: PlanSizes,
): TargetParts {
  const ranks = rankCount(parallel.mesh);
  if (ranks > 1) fail("target/ranks", { kind: "flag", flag: "--parallel" }, profile.name, ranks);
  if (module.funcs.some((func) => func.params.some(isCodedCache)))
    fail("target/caches", { kind: "flag", flag: "--kv" }, profile.name);
  const target = deviceTarget(module, profile, {
    precision: precisionOf(profile, isQuantized),
    tile: tileChooser(profile, trials, tiles),
    context,
    batchTokens,
  });
  const text = new TextEncoder();
  const files = new Map<string, FileMaker>([
    [programsFile, () => text.encode(formatDevicePlan(target.plan))],
    [profileFile, () => text.encode(`${JSON.stringify(profile, undefined, 1)}\n`)],
  ]);
  for (const [name, kernel] of target.kernels)
    files.set(scheduleFile(name), () => text.encode(printKernel(kernel)));
  const memory = {
    weights: target.weights.reduce((n, w) => n + storedForm(w).bytes, 0),
    cache: cacheBytes(target.plan, context),
    workspace: workspaceBytes(target.plan, context),
    communication: 0,
  };
  checkFit({ mesh: parallel.mesh, modules: [module], memory: [memory], context, limit: memoryPerRank });
  const head = {
    target: profile.name,
    machine: profile.name,
    mesh: parallel.mesh,
    ranks: [{ programs: programsFile, caches: cachesOf(target.plan), memory }],
    channels: [],
  };
  return { head, weights: target.weights, files };
}

/** Whether a parameter is a cache that holds codes. */
const isCodedCache = ({ type }: Param): boolean => type.dims[0] === "P" && type.dtype === "i8";

const cachesOf = ({ caches }: DevicePlan) =>
  caches.map(({ name, dtype, cols }) => ({ name, rowBytes: byteLength(dtype, cols) }));

const cacheBytes = (plan: DevicePlan, context: number): number =>
  cachesOf(plan).reduce((n, it) => n + it.rowBytes * context, 0);

/** Room for the buffers of the larger phase; each has its own. */
const workspaceBytes = ({ programs }: DevicePlan, context: number): number =>
  Math.max(
    ...programs.map(({ buffers, maxTokens }) =>
      buffers.reduce(
        (n, it) =>
          n +
          byteLength(it.dtype, callSize(it.rows, { tokens: maxTokens, past: context - maxTokens }) * it.cols),
        0,
      ),
    ),
  );
