/** Energy of a step on one rank by the profile's model; no vendor has published any. */
import type { Profile } from "../../machine/profile.ts";
import { globalSpace } from "../../machine/profile.ts";
import { bytesOf, multiplyAddsOf } from "./analytic.ts";
import type { Part } from "./step.ts";
import type { KernelSpec } from "./kernel.ts";

/** Joules of one kernel's arithmetic and of the bytes it moves. */
function kernelJoules({ energy }: Profile, spec: KernelSpec): number {
  const math = spec.kind === "matmul" || spec.kind === "attention" ? spec.math : undefined;
  const mac = energy.macs.find((it) => it.dtype === math)?.picojoules.value ?? 0;
  const byte = energy.accesses.find((it) => it.space === globalSpace)?.picojoules.value ?? 0;
  const vector = spec.kind === "rowwise" ? energy.vectorByte.value : 0;
  return 1e-12 * (mac * multiplyAddsOf(spec) + (byte + vector) * bytesOf(spec));
}

/** Joules of parts that run `microBatches` times over and take `microseconds`. */
export function joulesOf(
  profile: Profile,
  parts: readonly Part[],
  microBatches: number,
  microseconds: number,
): number {
  const work = parts.reduce(
    (sum, { count, tasks }) =>
      sum +
      count * tasks.reduce((n, task) => n + ("kernel" in task ? kernelJoules(profile, task.kernel) : 0), 0),
    0,
  );
  return work * microBatches + profile.energy.watts.value * microseconds * 1e-6;
}
