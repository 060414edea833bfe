/** Kernel times from a profile: the matrix unit and memory side by side, the slower one binds (Williams 2009). */
import { coreCount, matrixRate, peakMatrixOps } from "../../machine/rates.ts";
import type { Profile } from "../../machine/profile.ts";
import type { DType } from "../../tensor/dtype.ts";
import type { Constants } from "./constants.ts";
import { floatBytes } from "./precision.ts";
import { idle, type Busy, type KernelCost, type KernelSpec } from "./kernel.ts";

/** Bytes that a kernel moves between the chip's memory and its cores. */
export function bytesOf(spec: KernelSpec): number {
  if (spec.kind === "rows") return 0;
  if (spec.kind !== "matmul") return spec.bytes;
  const { m, n, k, count, weightBytes } = spec;
  return count * (n * k * weightBytes + m * (n + k) * floatBytes);
}

/** Multiply-adds of a kernel. */
export function multiplyAddsOf(spec: KernelSpec): number {
  if (spec.kind === "matmul") return spec.count * spec.m * spec.n * spec.k;
  return spec.kind === "attention" ? spec.multiplyAdds : 0;
}

/** The cost of kernels on a device by its figures and the constants. */
export function analyticCost(profile: Profile, constants: Constants): KernelCost {
  const { memory, clock, groups, matrix } = profile;
  const memoryRate = memory.bytesPerSecond.value * constants.memoryShare.value;
  const cacheRate = memory.l2BytesPerCycle.value * clock.value * 1e6;
  const vectorCores = coreCount(profile, profile.vector.core);
  const arithmetic = (multiplyAdds: number, math: DType, share: number): number =>
    (2e6 * multiplyAdds) / (peakMatrixOps(profile, math) * share);
  const time = (spec: KernelSpec): Busy => {
    if (spec.kind === "rows")
      return { ...idle, network: (spec.rows / vectorCores) * constants.rowMicroseconds.value };
    const memoryTime = (1e6 * bytesOf(spec)) / memoryRate;
    const fixed = constants.kernelMicroseconds.value;
    if (spec.kind === "rowwise") return { ...idle, memory: memoryTime, fixed };
    if (spec.kind === "attention")
      return {
        ...idle,
        matrix: arithmetic(spec.multiplyAdds, spec.math, constants.attentionShare.value),
        memory: memoryTime,
        fixed,
      };
    const rows = matrixRate(profile, spec.math)?.m ?? 1;
    const filled = Math.ceil(spec.m / rows) * rows * spec.count * spec.n * spec.k;
    // Vector cores write what they convert where the matrix unit reads it: in the cache that all share.
    const converted = spec.converts ? 2 * floatBytes * spec.count * spec.n * spec.k : 0;
    return {
      ...idle,
      matrix: arithmetic(filled, spec.math, constants.matrixShare.value),
      memory: Math.max(memoryTime, (1e6 * converted) / cacheRate),
      fixed,
    };
  };
  const cores = profile.cores.find((it) => it.name === matrix.core);
  const figures = [
    clock,
    groups,
    ...(cores ? [cores.perGroup] : []),
    ...matrix.rates.map((it) => it.cycles),
    memory.bytesPerSecond,
    constants.matrixShare,
    constants.attentionShare,
    constants.memoryShare,
    constants.kernelMicroseconds,
  ];
  return { time, figures };
}
