/** Tiles to begin with: those that CATLASS takes where nobody has searched for better ones. */
import type { Profile } from "../../src/machine/profile.ts";
import { usableBytes } from "../../src/machine/rates.ts";
import type { Copies, MatmulSpec, Tile } from "./mlir/spec.ts";

/** L1 tiles of CATLASS's examples (00_basic_matmul, 12_quant_matmul): 384 KiB of L1, and all of L0C with f32 or i32 sums. */
const published = { bytes: { m: 128, n: 256, k: 512 }, halves: { m: 128, n: 256, k: 256 } } as const;

const upTo = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** CATLASS's tile for a product, cut to whole fractals of what there is of it; `rows` is how many rows a matrix meets at once. */
export function defaultTile({ input, n, k }: Pick<MatmulSpec, "input" | "n" | "k">, rows: number): Tile {
  const tile = input === "i8" ? published.bytes : published.halves;
  const fractal = input === "i8" ? 32 : 16;
  return {
    m: Math.min(tile.m, upTo(rows, 16)),
    n: Math.min(tile.n, upTo(n, fractal)),
    k: Math.min(tile.k, upTo(k, fractal)),
  };
}

/** L1 is always filled ahead; accumulators take turns where two tiles of them fit. */
export function defaultCopies({ m, n }: Tile, profile: Profile): Copies {
  const accumulators = profile.spaces.find((it) => it.name === profile.matrix.c);
  return { l1: 2, l0c: accumulators && 2 * m * n * 4 <= usableBytes(accumulators) ? 2 : 1 };
}

/** A product before it is cut. */
export type Uncut = Omit<MatmulSpec, "tile" | "copies" | "weight">;

/** How a product is cut, given how many rows a call brings in all and how many of them meet one matrix. */
export type Cut = (
  product: Uncut,
  rows: { readonly total: number; readonly each: number },
) => Pick<MatmulSpec, "tile" | "copies">;

/** CATLASS's way for a device. */
export const publishedCut =
  (profile: Profile): Cut =>
  (product, { each }) => {
    const tile = defaultTile(product, each);
    return { tile, copies: defaultCopies(tile, profile) };
  };
