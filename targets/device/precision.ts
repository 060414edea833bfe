/** What numbers a plan for a device is made of. */
import type { Profile } from "../../src/machine/profile.ts";
import { matrixRate } from "../../src/machine/rates.ts";
import { fail } from "../../src/support/diagnostics.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { castWay } from "./kernels/vector/tile.ts";

export type Precision = {
  /** What the matrix unit multiplies; caches are kept so too. */
  readonly operand: Extract<DType, "bf16" | "f16" | "f32">;
  /** What values that no matrix unit reads are kept in. */
  readonly carried: Extract<DType, "bf16" | "f32">;
};

/**
 * The numbers of a plan on a machine. Whoever rounds weights wants to see what that alone does: those plans multiply float32 where the machine
 * can. Others are in bf16. Where there is neither, operands are f16; it ends at 65504, which sums over layers may pass, so they stay in float32.
 * Throws `target/activations` where the machine multiplies none of the three.
 */
export function precisionOf(profile: Profile, isQuantized: boolean): Precision {
  const multiplies = (dtype: DType): boolean => matrixRate(profile, dtype) !== undefined;
  if (isQuantized && multiplies("f32")) return { operand: "f32", carried: "f32" };
  if (multiplies("bf16")) return { operand: "bf16", carried: isQuantized ? "f32" : "bf16" };
  if (multiplies("f16")) return { operand: "f16", carried: "f32" };
  if (multiplies("f32")) return { operand: "f32", carried: "f32" };
  return fail("target/activations", undefined, profile.name);
}

/** How codes of so many bits, so many to a row, are stored: packed where the machine's vector unit takes them so, else a byte each. */
export const codeType = (profile: Profile, bits: number, cols: number): "i8" | "i4" =>
  bits === 4 && cols % 2 === 0 && castWay(profile, "i4", "f32") !== undefined ? "i4" : "i8";
