/** What a timing says beside its cycles: the engines' work, the limits of the chip, and energy as the profile models it. */
import type { DType } from "../../tensor/dtype.ts";
import type { Profile } from "../profile.ts";
import { microseconds, peakMatrixOps } from "../rates.ts";
import { statements, type Kernel } from "../schedule/kernel.ts";
import type { Timing } from "./time.ts";

/** What bounds a kernel from below: the matrix units' peak and the memory's nominal rate. */
export type Roofline = { readonly matrix: number; readonly memory: number };

/** The dtype that a kernel multiplies, or undefined where it has no products. */
export function productDType(kernel: Kernel): DType | undefined {
  for (const { body } of kernel.parts) {
    const all = statements(body);
    const product = all.find((it) => it.kind === "matmul");
    const operand = product && all.find((it) => it.kind === "buffer" && it.name === product.a.of);
    if (operand?.kind === "buffer") return operand.dtype;
  }
  return undefined;
}

/** Microseconds that the kernel's products and its bytes would take at the chip's peaks. */
export function rooflineOf({ macs, memoryBytes }: Timing, kernel: Kernel, profile: Profile): Roofline {
  const dtype = productDType(kernel);
  const peak = dtype ? peakMatrixOps(profile, dtype) : 0;
  return {
    matrix: peak > 0 ? ((2 * macs) / peak) * 1e6 : 0,
    memory: (memoryBytes / profile.memory.bytesPerSecond.value) * 1e6,
  };
}

/** Joules of a kernel that takes so many microseconds, as the profile models them; a model, not a measurement. */
export function energyOf(timing: Timing, kernel: Kernel, profile: Profile, micros: number): number {
  const { energy } = profile;
  const dtype = productDType(kernel);
  const mac = energy.macs.find((it) => it.dtype === dtype)?.picojoules.value ?? 0;
  const byte = (space: string): number =>
    energy.accesses.find((it) => it.space === space)?.picojoules.value ?? 0;
  let picojoules = timing.macs * mac + timing.memoryBytes * byte("gm");
  for (const [path, bytes] of timing.bytes)
    for (const space of path.split(" "))
      picojoules += bytes * (space === "gm" ? energy.l2.value : byte(space));
  return picojoules * 1e-12 + energy.watts.value * micros * 1e-6;
}

/** Microseconds from the launch to the end of a kernel. */
export const launchMicroseconds = ({ cycles }: Timing, profile: Profile): number =>
  profile.launch.value + microseconds(profile, cycles);
