import type { Profile } from "../../../src/machine/profile.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import type { Tile } from "../kernels/matrix/tile.ts";
import type { TileMemory } from "./remembered.ts";
import { bestTile } from "./search.ts";

/** Gives the tile of a product of at most so many rows. */
export type TileChooser = (spec: GemmSpec, rows: number) => Tile;

/** A chooser that searches once for each form of product, among `trials` tiles; what `memory` has is taken from there, and what is found is added. */
export const tileChooser =
  (profile: Profile, trials: number, memory: TileMemory): TileChooser =>
  (spec, rows) =>
    bestTile(profile, spec, rows, trials, memory).tile;
