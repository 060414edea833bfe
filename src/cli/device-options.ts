/** What `--target` takes besides, where plans for a device are made. */
import type { Device } from "../driver/device/parts.ts";
import type { Placed } from "../driver/device/placed.ts";
import { deviceOf, profileOf } from "../driver/target.ts";
import { readTiles, readVerified, writeTiles, writeVerified } from "../driver/device/tile-memory.ts";
import { wholeNumber, type OptionSpec } from "./command.ts";
import { userCache } from "./files/user-cache.ts";

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
    help: "a folder that remembers the tiles found for a device and the kernels found legal, or none (default: one in your cache folder)",
  },
};

/** The folder of what is remembered, if any. */
const folderOf = ({ tileCache }: DeviceOptions): string | undefined =>
  tileCache === undefined ? userCache("tiles") : tileCache === "none" ? undefined : tileCache;

/** What a tile cache remembers; `keep` writes down what was found besides. */
export function tilesFrom(options: DeviceOptions): {
  readonly tiles: Device["tiles"];
  readonly keep: () => void;
} {
  const folder = folderOf(options);
  const tiles = folder === undefined ? new Map() : readTiles(folder);
  const before = new Map(tiles);
  return { tiles, keep: () => folder !== undefined && writeTiles(folder, before, tiles) };
}

/** The kernels that a tile cache remembers as legal; `keep` writes down which others were. */
function verifiedFrom(options: DeviceOptions): {
  readonly verified: Device["verified"];
  readonly keep: () => void;
} {
  const folder = folderOf(options);
  const verified = folder === undefined ? new Set<string>() : readVerified(folder);
  const before = new Set(verified);
  return { verified, keep: () => folder !== undefined && writeVerified(folder, before, verified) };
}

/**
 * The device that a compile is for, or undefined for the CPU; `keep` writes down what was found for it. Where no target is named,
 * it is what the ranks are `placed` on.
 */
export function deviceFrom(
  target: string | undefined,
  placed: Placed | undefined,
  options: DeviceOptions,
): { readonly device: Device; readonly keep: () => void } | undefined {
  const own = placed?.devices.map(({ rank, profile }) => ({ number: rank, profile: profileOf(target ?? profile) })); // prettier-ignore
  const profile = deviceOf(target ?? placed?.devices[0]?.profile ?? "cpu");
  if (!profile) return undefined;
  const fleet = placed && own && { cluster: placed.cluster, devices: own };
  const { tiles, keep: keepTiles } = tilesFrom(options);
  const { verified, keep: keepVerified } = verifiedFrom(options);
  const keep = (): void => {
    keepTiles();
    keepVerified();
  };
  return { device: { profile, tiles, trials: options.tune, verified, ...(fleet && { fleet }) }, keep };
}
