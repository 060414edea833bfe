/** The device that `--target` means: one that moec knows, or a profile of the user's own. */
import { cpuProfile } from "../../targets/cpu/profile.ts";
import { unmetNeeds } from "../../targets/device/needs.ts";
import { profiles } from "../../targets/index.ts";
import { parseProfile, type Profile } from "../machine/profile.ts";
import { CompileError, fail } from "../support/diagnostics.ts";
import { nearest } from "../support/near.ts";
import { readDescription } from "./text-file.ts";

/**
 * The profile of a name (`ascend-910b3`) or of a JSON file (`./chip.json`). Throws `usage/unknown`, `usage/file` and the `profile/…` of what the
 * file holds; `profile/field` where it takes the CPU's name.
 */
export function profileOf(target: string): Profile {
  const known = profiles.find((it) => it.name === target);
  if (known) return known;
  const names = profiles.map((it) => it.name);
  if (!/\.json$|[/\\]/.test(target))
    return fail("usage/unknown", undefined, "target", target, nearest(target, names), names);
  const profile = parseProfile(readDescription(target), target);
  if (profile.name === cpuProfile.name)
    fail("profile/field", { kind: "json", file: target, pointer: "/name" }, "name", "no schedules are made for the CPU; give the device a name of its own, found cpu"); // prettier-ignore
  const unmet = unmetNeeds(profile, target);
  if (unmet.length > 0) throw new CompileError(unmet);
  return profile;
}

/** The device of a profile, or undefined for the CPU, which runs no schedules. */
export const deviceOf = (profile: Profile): Profile | undefined =>
  profile === cpuProfile ? undefined : profile;
