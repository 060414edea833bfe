/** What `--target` takes besides, where plans for a device are made. */
import type { Device } from "../driver/device/parts.ts";
import type { Placed } from "../driver/device/placed.ts";
import { deviceOf, profileOf } from "../driver/target.ts";
import { forgetful, memoryIn, type DeviceMemory } from "../driver/device/tile-memory.ts";
import type { Profile } from "../machine/profile.ts";
import { warningText } from "../support/diagnostics.ts";
import type { Log } from "../support/log.ts";
import { wholeNumber, type OptionSpec } from "./command.ts";
import { userCache } from "./files/user-cache.ts";

export type DeviceOptions = { readonly tune: number; readonly tileCache: string | undefined };

export const deviceOptions: { readonly [K in keyof DeviceOptions]-?: OptionSpec<DeviceOptions[K]> } = {
  tune: {
    flags: "--tune <n>",
    help: "tiles of each product that are timed on the simulated device, the best by formula",
    default: 16,
    parse: wholeNumber(1, 10_000),
  },
  tileCache: {
    flags: "--tile-cache <dir>",
    help: "a folder that remembers the tiles found for a device and the kernels found legal, or none (default: one in your cache folder)",
  },
};

/** What earlier compiles found out, as far as it is remembered. */
export function remembered({ tileCache }: DeviceOptions, { warn }: Pick<Log, "warn">): DeviceMemory {
  const folder = tileCache === undefined ? userCache("tiles") : tileCache === "none" ? undefined : tileCache;
  return folder === undefined ? forgetful() : memoryIn(folder, (found) => warn(warningText(found)));
}

/**
 * The device that a compile is for, or undefined for the CPU; `keep` writes down what was found for it. Where no target is named,
 * it is what the ranks are `placed` on.
 */
export function deviceFrom(
  target: Profile | undefined,
  placed: Placed | undefined,
  options: DeviceOptions,
  log: Pick<Log, "warn">,
): { readonly device: Device; readonly keep: () => void } | undefined {
  const own = placed?.devices.map(({ rank, profile }) => ({ number: rank, profile: target ?? profileOf(profile) })); // prettier-ignore
  const named = target ?? own?.[0]?.profile;
  const profile = named && deviceOf(named);
  if (!profile) return undefined;
  const fleet = placed && own && { cluster: placed.cluster, devices: own };
  const { tiles, verified, keep } = remembered(options, log);
  return { device: { profile, tiles, trials: options.tune, verified, ...(fleet && { fleet }) }, keep };
}
