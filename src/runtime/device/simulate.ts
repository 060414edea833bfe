/** How long a plan takes on the device it is for: its launches timed one after another. */
import type { Profile } from "../../machine/profile.ts";
import type { Kernel } from "../../machine/schedule/kernel.ts";
import { limitOf, type Limit } from "../../machine/simulate/limit.ts";
import { energyOf, launchMicroseconds, rooflineOf } from "../../machine/simulate/summary.ts";
import type { Slice } from "../../machine/simulate/issue.ts";
import { time, type Timing } from "../../machine/simulate/time.ts";
import {
  isLaunch,
  launchSizes,
  type Call,
  type Choices,
  type DeviceLaunch,
  type DeviceStep,
} from "../../plan/program/device.ts";
import { evenReader } from "../../plan/program/readers.ts";
import { kernelOf, type Loaded } from "./device.ts";

/** What the launches of one kernel take together. */
export type KernelTime = {
  readonly kernel: string;
  readonly launches: number;
  readonly microseconds: number;
  /** Share of the time that the chip would need at its peaks. */
  readonly roofline: number;
  /** What keeps it from being faster; of several launches, what does for the longest. */
  readonly limit: Limit;
  /** Share of the time that each engine of the first group works, by `core.engine`. */
  readonly utilisation: Readonly<Record<string, number>>;
  /** Bytes over each path, by `from to`. */
  readonly bytes: Readonly<Record<string, number>>;
  readonly memoryBytes: number;
  /** A model: no vendor publishes energy. */
  readonly joules: number;
};

/** Timings of kernels, each form of a launch timed once. */
type Timer = (kernel: Kernel, sizes: ReadonlyMap<string, number>, choices: Choices | undefined) => Timing;

function createTimer(profile: Profile): Timer {
  const known = new Map<string, Timing>();
  return (kernel, sizes, choices) => {
    const key = `${kernel.name} ${[...sizes].join()} ${choices?.here}`;
    const reader = evenReader(kernel, sizes, choices);
    const timing = known.get(key) ?? time(kernel, profile, { sizes, reader });
    known.set(key, timing);
    return timing;
  };
}

/** Launches of programs on one profile, timed. */
export type LaunchTimer = (kernels: Loaded["kernels"], launch: DeviceLaunch, call: Call) => KernelTime;

/** A timer of launches on a profile; what is launched again in the same form is not timed again. */
export function launchTimer(profile: Profile): LaunchTimer {
  const timer = createTimer(profile);
  return (kernels, launch, call) => {
    const kernel = kernelOf(kernels, launch.kernel);
    return kernelTime(kernel, timer(kernel, launchSizes(launch, call), choicesIn(launch, call)), profile);
  };
}

/** The choices of a row that are of experts here, where a dispatch brought it. */
function choicesIn({ sizes }: DeviceLaunch, { choices }: Call): Choices | undefined {
  return sizes.flatMap(({ extent }) => choices?.get(extent.dim) ?? [])[0];
}

/** What the launches of each kernel take together, the longest first. */
export function byKernel(times: readonly KernelTime[]): readonly KernelTime[] {
  return [...Map.groupBy(times, (it) => it.kernel).values()]
    .map((of) => ({ ...of.reduce(together), limit: longestLimit(of) }))
    .sort((a, b) => b.microseconds - a.microseconds);
}

function kernelTime(kernel: Kernel, timing: Timing, profile: Profile): KernelTime {
  const microseconds = launchMicroseconds(timing, profile);
  const { matrix, memory } = rooflineOf(timing, kernel, profile);
  return {
    kernel: kernel.name,
    launches: 1,
    microseconds,
    roofline: Math.max(matrix, memory) / microseconds,
    limit: limitOf(profile, kernel, timing),
    utilisation: Object.fromEntries([...timing.busy].map(([engine, cycles]) => [engine, cycles / profile.clock.value / microseconds])), // prettier-ignore
    bytes: Object.fromEntries(timing.bytes),
    memoryBytes: timing.memoryBytes,
    joules: energyOf(timing, kernel, profile, microseconds),
  };
}

/** What limits launches of a kernel for most of their time. */
function longestLimit(of: readonly KernelTime[]): Limit {
  const times = new Map<Limit, number>();
  for (const { limit, microseconds } of of) times.set(limit, (times.get(limit) ?? 0) + microseconds);
  return [...times].reduce((most, it) => (it[1] > most[1] ? it : most))[0];
}

/** Two of one kernel: times and bytes add, shares are of the whole time. */
function together(a: KernelTime, b: KernelTime): KernelTime {
  const microseconds = a.microseconds + b.microseconds;
  const share = (x: number, y: number): number => (x * a.microseconds + y * b.microseconds) / microseconds;
  const merged = (x: KernelTime["bytes"], y: KernelTime["bytes"], by: (p: number, q: number) => number) =>
    Object.fromEntries([...new Set([...Object.keys(x), ...Object.keys(y)])].map((key) => [key, by(x[key] ?? 0, y[key] ?? 0)])); // prettier-ignore
  return {
    kernel: a.kernel,
    launches: a.launches + b.launches,
    microseconds,
    roofline: share(a.roofline, b.roofline),
    limit: a.limit,
    utilisation: merged(a.utilisation, b.utilisation, share),
    bytes: merged(a.bytes, b.bytes, (p, q) => p + q),
    memoryBytes: a.memoryBytes + b.memoryBytes,
    joules: a.joules + b.joules,
  };
}

/** One instruction of a launch, its times counted from the beginning of the call in microseconds. */
export type LaunchSlice = Slice & { readonly kernel: string; readonly value: string };

/** Hear of every instruction of the first core group in the launches of a call, which began when `spans` say. */
export function traceCall(
  { profile, kernels }: Loaded,
  { spans, call }: { readonly spans: readonly { readonly step: DeviceStep; readonly start: number }[]; readonly call: Call }, // prettier-ignore
  onSlice: (slice: LaunchSlice) => void,
): void {
  for (const { step, start } of spans) {
    if (!isLaunch(step)) continue;
    const kernel = kernelOf(kernels, step.kernel);
    const sizes = launchSizes(step, call);
    const begin = start + profile.launch.value;
    const toMicros = (cycles: number): number => begin + cycles / profile.clock.value;
    time(kernel, profile, { sizes, reader: evenReader(kernel, sizes, choicesIn(step, call)) }, (slice) =>
      onSlice({
        ...slice,
        start: toMicros(slice.start),
        end: toMicros(slice.end),
        kernel: step.kernel,
        value: step.value,
      }),
    );
  }
}
