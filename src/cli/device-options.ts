/** What `--target` takes besides, where plans for a device are made. */
import type { Device } from "../driver/device/parts.ts";
import { deviceOf } from "../driver/target.ts";
import { readTiles, writeTiles } from "../driver/device/tile-memory.ts";
import { wholeNumber, type OptionSpec } from "./command.ts";

export type DeviceOptions = { readonly tune: number; readonly tileCache: string | undefined };

export const deviceOptions: { readonly [K in keyof DeviceOptions]-?: OptionSpec<DeviceOptions[K]> } = {
  tune: {
    flags: "--tune <n>",
    help: "tiles of each product that are timed on the simulated device, the best by formula",
    default: 8,
    parse: wholeNumber(1, 10_000),
  },
  tileCache: {
    flags: "--tile-cache <dir>",
    help: "a folder that remembers the tiles found for a device, for later compiles",
  },
};

/** The device that a compile is for, or undefined for the CPU; `keep` writes down the tiles that were found for it. */
export function deviceFrom(
  target: string,
  { tune, tileCache }: DeviceOptions,
): { readonly device: Device; readonly keep: () => void } | undefined {
  const profile = deviceOf(target);
  if (!profile) return undefined;
  const tiles = tileCache === undefined ? new Map() : readTiles(tileCache);
  const before = new Map(tiles);
  return {
    device: { profile, tiles, trials: tune },
    keep: () => tileCache !== undefined && writeTiles(tileCache, before, tiles),
  };
}
