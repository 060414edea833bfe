/** The devices that moec knows. */
import type { Profile } from "../src/machine/profile.ts";
import { ascend910b1, ascend910b2, ascend910b3, ascend910b4, ascend910c } from "./ascend/profiles/910.ts";
import { ascend310p } from "./ascend/profiles/310p.ts";
import { ascend950pr } from "./ascend/profiles/950.ts";
import { birenBr100, birenBr104 } from "./biren/profiles/br100.ts";
import { cpuProfile } from "./cpu/profile.ts";

export type TargetInfo = {
  readonly name: string;
  readonly summary: string;
  /** What a plan for it runs on. */
  readonly runsOn: string;
};

/** Every profile, in the order of lists. */
export const profiles: readonly Profile[] = [
  cpuProfile,
  ascend310p,
  ascend910b1,
  ascend910b2,
  ascend910b3,
  ascend910b4,
  ascend910c,
  ascend950pr,
  birenBr100,
  birenBr104,
];

export const targets: readonly TargetInfo[] = profiles.map(({ name, summary }) => ({
  name,
  summary,
  runsOn: name === cpuProfile.name ? "this machine" : "the simulated device",
}));
