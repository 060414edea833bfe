/** What the kernels of a plan take on its device, known as soon as their schedules are. */
import type { Profile } from "../../machine/profile.ts";
import type { Kernel } from "../../machine/schedule/kernel.ts";
import { isLaunch, type Call, type DeviceProgram } from "../../plan/program/device.ts";
import { byKernel, launchTimer, type KernelTime } from "../../runtime/device/simulate.ts";

/** The longest call of a phase: as many new tokens as it may bring, behind as many positions as there is room for. */
export type PhaseTime = {
  readonly phase: string;
  readonly profile: Profile;
  readonly call: Call;
  readonly microseconds: number;
  readonly kernels: readonly KernelTime[];
};

/** Time the kernels of a rank's programs; what it does with others is not counted. */
export function phaseTimes(
  programs: readonly DeviceProgram[],
  kernels: ReadonlyMap<string, Kernel>,
  profile: Profile,
  context: number,
): readonly PhaseTime[] {
  return programs.map(({ name, maxTokens, steps }) => {
    const call = { tokens: maxTokens, past: maxTokens === 1 ? context - 1 : 0 };
    const timer = launchTimer(profile);
    const times = byKernel(steps.filter(isLaunch).map((it) => timer(kernels, it, call)));
    const microseconds = times.reduce((n, it) => n + it.microseconds, 0);
    return { phase: name, profile, call, microseconds, kernels: times };
  });
}
