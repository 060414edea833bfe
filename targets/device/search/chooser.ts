import type { Profile } from "../../../src/machine/profile.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import type { Tile } from "../kernels/matrix/tile.ts";
import { bestTile } from "./search.ts";

/** Gives the tile of a product of at most so many rows. */
export type TileChooser = (spec: GemmSpec, rows: number) => Tile;

/** A chooser that searches once for each form of product. */
export function tileChooser(profile: Profile): TileChooser {
  const known = new Map<string, Tile>();
  return (spec, rows) => {
    const key = JSON.stringify([spec, rows]);
    const tile = known.get(key) ?? bestTile(profile, spec, rows).tile;
    known.set(key, tile);
    return tile;
  };
}
