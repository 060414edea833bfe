/** What all kernels need of a machine. A profile of the user's own that has less is told so when it is read, not by the first kernel that misses it. */
import { fieldOf, type Profile } from "../../src/machine/profile.ts";
import { diag, type Diagnostic } from "../../src/support/diagnostics.ts";
import { underWay } from "./kernels/attention/dealt.ts";
import { stagesAhead } from "./kernels/matrix/ahead.ts";
import { mostSignals } from "./kernels/matrix/hands.ts";

/** Flags between two engines that kernels find room in; test/unit/device/needs.test.ts holds them to it. */
const leastFlags = 6;

/** Signals of one number that may be waiting to be taken. */
const mostWaiting = Math.max(underWay, stagesAhead) + 1;

type Need = { readonly pointer: string; readonly found: number; readonly least: number; readonly of: string };

function needsOf({ matrix, vector, flags: { perPair, reserved, cross } }: Profile): readonly Need[] {
  const inCore = { pointer: "/flags/perPair/value", found: perPair.value - reserved.value, least: leastFlags, of: "flags between two engines that are not reserved" }; // prettier-ignore
  if (matrix.core === vector.core) return [inCore];
  const between = "signals between the cores of a group, as its two units are in cores of their own";
  if (!cross) return [inCore, { pointer: "/flags/cross", found: 0, least: mostSignals, of: between }];
  return [
    inCore,
    { pointer: "/flags/cross/count/value", found: cross.count.value, least: mostSignals, of: between },
    { pointer: "/flags/cross/counterMax/value", found: cross.counterMax.value, least: mostWaiting, of: "signals of one number to wait to be taken" }, // prettier-ignore
  ];
}

/** What kernels need and a profile has not. */
export function unmetNeeds(profile: Profile, file: string): readonly Diagnostic[] {
  const { cores, matrix } = profile;
  const few = needsOf(profile).filter(({ found, least }) => found < least);
  const at = (pointer: string) => ({ kind: "json", file, pointer }) as const;
  const shared = cores.findIndex((it) => it.name === matrix.core);
  const several = cores[shared]?.perGroup.value ?? 1;
  const pointer = `/cores/${shared}/perGroup/value`;
  return [
    ...few.map((it) => diag("profile/too-little", at(it.pointer), fieldOf(it.pointer), it.found, `${it.least} ${it.of}`)), // prettier-ignore
    ...(several > 1 ? [diag("profile/several", at(pointer), fieldOf(pointer), matrix.core, several)] : []),
  ];
}
