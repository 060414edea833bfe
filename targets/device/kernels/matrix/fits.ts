/** Whether a machine can hold a tile. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { matrixRate, spaceOf, usableBytes } from "../../../../src/machine/rates.ts";
import { bufferBytes } from "../../../../src/machine/verify/capacity.ts";
import type { DType } from "../../../../src/tensor/dtype.ts";
import { flowOf } from "./flow.ts";
import { vectorNeed } from "./room.ts";
import type { GemmSpec } from "./spec.ts";
import { partWidth, type Tile } from "./tile.ts";

type Room = { readonly space: string; readonly bytes: number };

/** Bytes that a tile takes in each space of the matrix unit's core, and of the vector unit's. */
export function roomOf(profile: Profile, spec: GemmSpec, tile: Tile): readonly Room[] {
  const { matrix } = profile;
  const { stage, weight, acc } = flowOf(profile, spec);
  const { m, n, k, step, parts, copies, accs } = tile;
  const bytes = (space: string, dtype: DType, rows: number, cols: number): number =>
    bufferBytes({ dtype, rows, cols }, spaceOf(profile, space));
  const part = partWidth(tile);
  return [
    { space: stage, bytes: copies * (bytes(stage, spec.a.dtype, m, k) + bytes(stage, weight, n, k)) },
    { space: matrix.a, bytes: 2 * bytes(matrix.a, spec.a.dtype, m, step) },
    { space: matrix.b, bytes: 2 * bytes(matrix.b, weight, part, step) },
    { space: matrix.c, bytes: accs * parts * bytes(matrix.c, acc, m, part) },
    { space: profile.vector.space, bytes: vectorNeed(profile, spec, tile) },
  ];
}

/** Whether a tile fits the machine: its capacities, and parts that begin at whole fragments. */
export function fits(profile: Profile, spec: GemmSpec, tile: Tile): boolean {
  const { weight } = flowOf(profile, spec);
  const rate = matrixRate(profile, spec.a.dtype, weight);
  if (!rate || tile.step % rate.k !== 0 || (tile.parts > 1 && partWidth(tile) % rate.n !== 0)) return false;
  return roomOf(profile, spec, tile).every(
    ({ space, bytes }) => bytes <= usableBytes(spaceOf(profile, space)),
  );
}
