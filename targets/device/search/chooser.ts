import type { Profile } from "../../../src/machine/profile.ts";
import type { AttentionCut, AttentionSpec } from "../kernels/attention/attention.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import type { Remembered, TileMemory } from "./remembered.ts";
import { bestAttention } from "./attention.ts";
import { bestTile } from "./search.ts";

/** Gives the tile of a product of at most so many rows, and its cycles. */
export type TileChooser = (spec: GemmSpec, rows: number) => Remembered;

/** A chooser that searches once for each form of product, among `trials` tiles; what `memory` has is taken from there, and what is found is added. */
export const tileChooser =
  (profile: Profile, trials: number, memory: TileMemory): TileChooser =>
  (spec, rows) =>
    bestTile(profile, spec, rows, trials, memory);

/** Gives how attention is cut. */
export type AttentionChooser = (spec: AttentionSpec) => AttentionCut;

/** A chooser that searches once for each form of attention; with `memory` as products. */
export function attentionChooser(profile: Profile, memory: TileMemory): AttentionChooser {
  const known = new Map<string, AttentionCut>();
  return (spec) => {
    const key = JSON.stringify(spec);
    const tile = known.get(key) ?? bestAttention(profile, spec, memory);
    known.set(key, tile);
    return tile;
  };
}
