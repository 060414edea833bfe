/** Whether a schedule fits the machine it is for, and is free of races: everything that can be known before a chip has run it. */
import { CompileError, type Diagnostic } from "../../support/diagnostics.ts";
import type { Profile } from "../profile.ts";
import { prepareParts } from "../schedule/cores.ts";
import type { Kernel } from "../schedule/kernel.ts";
import type { PreparedPart } from "../schedule/prepare.ts";
import type { Reader } from "../simulate/reader.ts";
import { capacityFaults } from "./capacity.ts";
import { alone, growth, grown, isJudged, largest, haveComeRound } from "./endless.ts";
import { copyFaults } from "./copies.ts";
import { flagFaults } from "./flags.ts";
import { groupFaults } from "./across/groups.ts";
import { unreadFaults } from "./across/unread.ts";
import { orderFaults, type Coverage } from "./order/order.ts";
import { statementFaults } from "./statements.ts";
import { unusedFaults } from "./unused.ts";
import { fixedFaults, groupsReaching, unreached } from "./unreached.ts";

export type Trial = {
  /** Sizes at which a schedule is looked at. */
  readonly sizes: ReadonlyMap<string, number>;
  /** What its `read`s find in tensors, copied to buffers or not, and in buffers that it fills itself, made anew for each look. */
  readonly reader?: (sizes: Trial["sizes"]) => Reader;
  /** Whether what they find makes a tensor whole that is written where they say. Nothing is known of such tensors without. */
  readonly fills?: (tensor: string) => boolean;
};

/**
 * Every fault of a schedule: names and paths that the machine lacks, dtypes that its engines do not take, buffers that do not fit or are
 * not aligned, flags beyond the budget; and, run through at the sizes of each trial, boxes beyond their tensors, reads of what nobody
 * wrote, results that nobody writes, operands that nobody reads, accesses that nothing orders, flags that do not pair, and standstills. None means that the schedule is legal.
 */
export function verifyKernel(
  kernel: Kernel,
  profile: Profile,
  trials: readonly Trial[],
): readonly Diagnostic[] {
  const prepared = caught(() => prepareParts(kernel, profile));
  if ("faults" in prepared) return prepared.faults;
  const parts: readonly PreparedPart[] = prepared.value;
  const still = [
    ...statementFaults(kernel, parts, profile),
    ...capacityFaults(kernel, profile),
    ...flagFaults(kernel, profile),
  ];
  if (still.length > 0) return still;
  const moving = movingFaults(kernel, parts, profile, trials);
  return moving.length > 0 ? moving : copyFaults(kernel, profile);
}

/** Launches in which it is looked at what is read and used: where there are more, the largest only has more turns of what the others have. */
const enoughTrials = 2;

/** Faults that show when a kernel is run through, at the first sizes at which there are any. */
function movingFaults(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  profile: Profile,
  trials: readonly Trial[],
): readonly Diagnostic[] {
  const coverage: Coverage = { turns: new Map(), reached: new Set() };
  const follow = (machine: Profile, trial: Trial, groups: readonly number[]): readonly Diagnostic[] => {
    const found = caught(() => orderFaults(kernel, parts, machine, trial, groups, coverage));
    return "faults" in found ? found.faults : found.value;
  };
  for (const [i, trial] of trials.entries()) {
    const faults = follow(profile, trial, groupsOf(profile, i));
    if (faults.length > 0) return faults;
  }
  for (const trial of trials) {
    const left = unreached(parts, coverage.reached);
    const faults = left.length > 0 ? follow(profile, trial, groupsReaching(left, parts, profile, trial)) : [];
    if (faults.length > 0) return faults;
  }
  for (const trial of trials) {
    const faults = groupFaults(kernel, parts, profile, trial);
    if (faults.length > 0) return faults;
  }
  const trial = largest(trials);
  for (const faultsOf of [unreadFaults, unusedFaults])
    for (const it of trials.filter((of) => trials.length <= enoughTrials || of !== trial)) {
      const faults = faultsOf(kernel, parts, profile, it);
      if (faults.length > 0) return faults;
    }
  for (const times of growth) {
    if (!trial || haveComeRound(parts, coverage.turns)) break;
    const faults = follow(alone(profile), grown(trial, times), [0]).filter(isJudged);
    if (faults.length > 0) return faults;
  }
  return fixedFaults(kernel, unreached(parts, coverage.reached), profile);
}

/** Groups that are looked at in a trial: neighbours, and the last one, which may have work of its own. */
function groupsOf({ groups: { value: count } }: Profile, trial: number): readonly number[] {
  const last = count - 1;
  const chosen = [
    [0, 1, last],
    [0, last],
    [0, 1],
  ][Math.min(trial, 2)] ?? [0];
  return [...new Set(chosen)].filter((it) => it < count);
}

type Caught<T> = { readonly value: T } | { readonly faults: readonly Diagnostic[] };

function caught<T>(run: () => T): Caught<T> {
  try {
    return { value: run() };
  } catch (error) {
    if (error instanceof CompileError) return { faults: error.diagnostics };
    throw error;
  }
}
