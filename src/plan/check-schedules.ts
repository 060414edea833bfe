/** Whether the schedules of a plan are legal in the launches that its programs make. */
import type { Profile } from "../machine/profile.ts";
import type { Kernel } from "../machine/schedule/kernel.ts";
import { verifyKernel, type Trial } from "../machine/verify/verify.ts";
import type { Diagnostic } from "../support/diagnostics.ts";
import { isLaunch, launchSizes, type Call, type DevicePlan } from "./program/device.ts";
import { distinctTrial } from "./program/readers.ts";
import type { Verifier } from "./verified-kernels.ts";

/** Calls that a program is looked at in: the shortest, the longest, and one in which nothing divides evenly. */
function callsOf(maxTokens: number, context: number): readonly Call[] {
  const longest = { tokens: maxTokens, past: context - maxTokens };
  const odd = { tokens: Math.ceil((2 * maxTokens) / 3), past: Math.min(5, context - maxTokens) };
  return [{ tokens: 1, past: 0 }, odd, longest];
}

type Sizes = ReadonlyMap<string, number>;

/** The different sizes that each kernel is launched with in some call of a program. */
function launchesOf(plans: readonly DevicePlan[], context: number): ReadonlyMap<string, readonly Sizes[]> {
  const found = new Map<string, Map<string, Sizes>>();
  for (const { maxTokens, steps } of plans.flatMap((it) => it.programs))
    for (const call of callsOf(maxTokens, context))
      for (const launch of steps.filter(isLaunch)) {
        const sizes = launchSizes(launch, call);
        const own = found.get(launch.kernel) ?? new Map<string, Sizes>();
        found.set(launch.kernel, own.set([...sizes].join(), sizes));
      }
  return new Map([...found].map(([name, all]) => [name, [...all.values()]]));
}

/** A fault of a kernel's schedule. */
export type ScheduleFault = { readonly kernel: string; readonly fault: Diagnostic };

/** Every fault of the schedules that the plans of some ranks launch, for contexts of so many positions; each kernel is looked at once for all. */
export function scheduleFaults(
  plans: readonly DevicePlan[],
  kernels: ReadonlyMap<string, Kernel>,
  profile: Profile,
  context: number,
  verify: Verifier = verifyKernel,
): readonly ScheduleFault[] {
  return [...launchesOf(plans, context)].flatMap(([name, launches]) => {
    const kernel = kernels.get(name);
    const trials = (of: Kernel): readonly Trial[] => launches.map((sizes) => distinctTrial(of, sizes));
    const faults = kernel ? verify(kernel, profile, trials(kernel)) : [];
    return faults.map((fault) => ({ kernel: name, fault }));
  });
}
