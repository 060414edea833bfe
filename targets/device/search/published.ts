/** Tiles that others published, to start from and to be measured by. */
import type { Profile } from "../../../src/machine/profile.ts";
import { fitter } from "../kernels/matrix/fits.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import { undivided, type Tile } from "../kernels/matrix/tile.ts";

/** Two copies of all that is staged, and steps of a quarter of it; tiles three side by side, as GemmIdentityBlockSwizzle<3, 1> deals them. */
export const pingPong = (m: number, n: number, k: number): Tile => ({
  area: { m, n },
  staged: { k, step: k / 4, copies: 2 },
  sums: undivided,
  band: 3,
});

/**
 * The tiles of CATLASS's examples: the default of 16-bit products and its two relatives, those of int8 and of f32 (hicann/catlass,
 * examples/ and docs, 11_matmul_optimization: L0 tiles as wide as L1 tiles and a quarter as deep, two copies of each).
 */
const catlass: { readonly [bits: string]: readonly Tile[] } = {
  bf16: [pingPong(128, 256, 256), pingPong(256, 128, 256), pingPong(32, 320, 128)],
  i8: [pingPong(128, 256, 512)],
  f32: [pingPong(128, 128, 256), pingPong(16, 32, 1024)],
};

/** Published tiles for a product's operands that the machine can hold, the default first. */
export function publishedTiles(profile: Profile, spec: GemmSpec): readonly Tile[] {
  const name = spec.a.dtype === "f16" ? "bf16" : spec.a.dtype;
  return (catlass[name] ?? []).filter(fitter(profile, spec));
}
