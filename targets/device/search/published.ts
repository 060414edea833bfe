/** Tiles that others published, to start from and to be measured by. */
import type { Profile } from "../../../src/machine/profile.ts";
import { fitter } from "../kernels/matrix/fits.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import type { Tile } from "../kernels/matrix/tile.ts";

const pingPong = { parts: 1, cut: "columns", copies: 2, accs: 1 } as const;

/**
 * The tiles of CATLASS's examples: the default of 16-bit products and its two relatives, those of int8 and of f32 (hicann/catlass,
 * examples/ and docs, 11_matmul_optimization: L0 tiles as wide as L1 tiles and a quarter as deep, two copies of each).
 */
const catlass: { readonly [bits: string]: readonly Tile[] } = {
  bf16: [
    { m: 128, n: 256, k: 256, step: 64, ...pingPong },
    { m: 256, n: 128, k: 256, step: 64, ...pingPong },
    { m: 32, n: 320, k: 128, step: 32, ...pingPong },
  ],
  i8: [{ m: 128, n: 256, k: 512, step: 128, ...pingPong }],
  f32: [
    { m: 128, n: 128, k: 256, step: 64, ...pingPong },
    { m: 16, n: 32, k: 1024, step: 256, ...pingPong },
  ],
};

/** Published tiles for a product's operands that the machine can hold, the default first. */
export function publishedTiles(profile: Profile, spec: GemmSpec): readonly Tile[] {
  const name = spec.a.dtype === "f16" ? "bf16" : spec.a.dtype;
  return (catlass[name] ?? []).filter(fitter(profile, spec));
}
