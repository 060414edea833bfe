/** What a command line of `moec compile` asks for. Each file that it names is read here and once, so that a pipe will do. */
import { parseExpertMap, type ExpertMap } from "../../cluster/expert-map.ts";
import type { Cluster } from "../../cluster/topology.ts";
import { clusterFrom } from "../../driver/cluster.ts";
import { schemeFrom } from "../../driver/quantize.ts";
import { profileOf } from "../../driver/target.ts";
import { readDescription, readText } from "../../driver/text-file.ts";
import type { Profile } from "../../machine/profile.ts";
import type { Scheme } from "../../quant/scheme.ts";
import type { Options } from "./options.ts";

/** The options, with what they name in place of its name. */
export type Request = Omit<Options, "quant" | "bits" | "target" | "cluster" | "placement" | "calibrate"> & {
  readonly scheme: Scheme | undefined;
  readonly target: Profile | undefined;
  readonly cluster: Cluster | undefined;
  readonly placement: ExpertMap | undefined;
  /** The text to calibrate on. */
  readonly calibrate: string | undefined;
};

const unlessAbsent = <T>(name: string | undefined, read: (name: string) => T): T | undefined =>
  name === undefined ? undefined : read(name);

/** Read what the options name. Throws what is wrong with any of it. */
export function requestOf({ quant, bits, ...options }: Options): Request {
  return {
    ...options,
    scheme: schemeFrom(quant, bits),
    target: unlessAbsent(options.target, profileOf),
    cluster: unlessAbsent(options.cluster, clusterFrom),
    placement: unlessAbsent(options.placement, (file) => parseExpertMap(readDescription(file), file)),
    calibrate: unlessAbsent(options.calibrate, readText),
  };
}
