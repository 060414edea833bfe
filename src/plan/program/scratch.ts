import { compileList } from "../../machine/schedule/expr.ts";
import type { Profile } from "../../machine/profile.ts";
import type { Kernel } from "../../machine/schedule/kernel.ts";
import { byteLength } from "../../tensor/dtype.ts";
import { isLaunch, mostSize, type DeviceLaunch, type DevicePlan } from "./device.ts";
import { aligned } from "./live.ts";
import type { Extent } from "./program.ts";

/** The most bytes that one core group's scratch takes in a launch: the tensors that the kernel calls `shared`, one behind another. */
function groupScratch({ tensors, sizes }: Kernel, launch: DeviceLaunch, most: (extent: Extent) => number) {
  const extents = new Map(launch.sizes.map(({ name, extent }) => [name, extent]));
  const largest = sizes.map((name) => most(extents.get(name) ?? { times: 0, dim: "1" }));
  return tensors
    .filter((it) => it.role === "shared")
    .map(({ dtype, dims }) => {
      const lengths = compileList(dims, (name) => sizes.indexOf(name))(largest);
      return aligned(byteLength(dtype, lengths.reduce((n, d) => n * d, 1))); // prettier-ignore
    })
    .reduce((n, it) => n + it, 0);
}

/** The bytes of scratch that a rank's launches use in turn: for all core groups, as many as the kernel that needs most of it takes. */
export function scratchOf(
  { programs }: Pick<DevicePlan, "programs">,
  kernels: ReadonlyMap<string, Kernel>,
  profile: Profile,
  context: number,
): number {
  const needs = programs.flatMap((program) => {
    const most = mostSize(program, context);
    return program.steps.filter(isLaunch).map((launch) => {
      const kernel = kernels.get(launch.kernel);
      return kernel ? groupScratch(kernel, launch, most) : 0;
    });
  });
  return profile.groups.value * Math.max(0, ...needs);
}
