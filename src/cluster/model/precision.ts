/** How the linear layers of a forecast are stored, and in what they are multiplied. */
import type { Profile } from "../../machine/profile.ts";
import { matrixRate } from "../../machine/rates.ts";
import { bitsPerWeight, formats, type FormatName } from "../../tensor/format.ts";
import type { DType } from "../../tensor/dtype.ts";

/** What a scheme says of weights and of the activations that meet them. */
export type Scheme = {
  readonly name: string;
  readonly weights: FormatName;
  readonly activations: "float" | "int8";
  /** Bits of a weight on average, where formats are chosen within them. */
  readonly bits?: number | undefined;
};

export type Precision = {
  /** The scheme's name. */
  readonly name: string;
  /** Bytes that one weight takes, scales counted. */
  readonly weightBytes: number;
  /** What the matrix unit multiplies. */
  readonly math: DType;
  /** Whether weights become `math` on the way to the matrix unit. */
  readonly converts: boolean;
  /** Bytes of one number on its way to an expert. */
  readonly sentBytes: number;
};

/** Bytes of a number that is not rounded: activations, the cache, norms, the embedding. */
export const floatBytes = 2;

/** The 16-bit floats that a device multiplies. */
export const floatMath = (profile: Profile): DType => (matrixRate(profile, "bf16") ? "bf16" : "f16");

/** Columns over which the bits of a weight are averaged: those of most of a model's matrices. */
const columns = 2048;

/** What a scheme, or none, means on a device. */
export function precisionOf(profile: Profile, scheme: Scheme | undefined): Precision {
  const float = floatMath(profile);
  if (!scheme)
    return { name: "none", weightBytes: floatBytes, math: float, converts: false, sentBytes: floatBytes };
  const format = formats[scheme.weights];
  const rounds = scheme.activations === "int8" && matrixRate(profile, "i8") !== undefined;
  return {
    name: scheme.name,
    weightBytes: (scheme.bits ?? bitsPerWeight(format, columns)) / 8,
    math: rounds ? "i8" : float,
    converts: !rounds || format.bits !== 8,
    sentBytes: rounds ? 1 : floatBytes,
  };
}
