import type { Profile } from "../../../../src/machine/profile.ts";
import { flowOf } from "./flow.ts";
import { sumsOf, type GemmSpec } from "./spec.ts";

/**
 * An integer product whose sums leave the matrix unit as they are, i32, for readers to scale; undefined where they would not leave straight or would not be handed
 * over otherwise, where a result has several, and where it has a bias.
 */
export function unscaled(profile: Profile, spec: GemmSpec): GemmSpec | undefined {
  const { w, out, bias } = spec;
  if (w.kind !== "integer" || sumsOf(spec) > 1 || bias) return undefined;
  const plain = { kind: "plain", dtype: w.dtype, ...(w.nz && { nz: true }) } as const;
  const straight: GemmSpec = { ...spec, w: plain, out: { ...out, dtype: "i32" } };
  const own = flowOf(profile, spec);
  const isHandedOver = own.leaves === "vector" && !own.isWhole;
  return isHandedOver && flowOf(profile, straight).leaves === "straight" ? straight : undefined;
}
