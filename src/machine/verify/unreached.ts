/** Operations that the groups which are followed have no work for: who else has, and what is known of those that nobody has work for. */
import { diag, type Diagnostic } from "../../support/diagnostics.ts";
import type { Profile } from "../profile.ts";
import { beginnings, coresAt } from "../schedule/cores.ts";
import type { Kernel } from "../schedule/kernel.ts";
import type { Operation, PreparedPart, PreparedRegion } from "../schedule/prepare.ts";
import { printStmt } from "../schedule/printer.ts";
import { sketch, type Place } from "../schedule/walk.ts";
import { numbersRead } from "./numbers-read.ts";
import { operations } from "./operations.ts";
import { misaligned, outside } from "./places.ts";
import type { Trial } from "./verify.ts";

/** Operations on boxes that are not among those reached. */
export const unreached = (
  parts: readonly PreparedPart[],
  reached: ReadonlySet<Operation>,
): readonly Operation[] =>
  parts.flatMap(({ body }) => operations(body)).filter((it) => it.regions.length > 0 && !reached.has(it));

/** The groups, one for each of some operations at most, that have work for them in a trial; found by looking over the groups from afar. */
export function groupsReaching(
  wanted: readonly Operation[],
  parts: readonly PreparedPart[],
  profile: Profile,
  trial: Trial,
): readonly number[] {
  const missing = new Set(wanted);
  const numbers = numbersRead(trial.reader?.(trial.sizes) ?? (() => 0));
  const all = beginnings(parts, profile, trial.sizes);
  const isOfUse = (group: number): boolean => {
    const before = missing.size;
    for (const core of coresAt(all, group))
      sketch(core.part.body, core.env, {
        instruction: (it) => {
          missing.delete(it.operation);
          return numbers(core, it);
        },
      });
    return missing.size < before;
  };
  return Array.from({ length: profile.groups.value }, (_, i) => i).filter((it) => missing.size > 0 && isOfUse(it)); // prettier-ignore
}

/** Faults of boxes that lie where no name says: they hold whether or not anybody has work for them. */
export function fixedFaults(
  kernel: Kernel,
  of: readonly Operation[],
  profile: Profile,
): readonly Diagnostic[] {
  return of.flatMap(({ stmt, regions }) => {
    const text = printStmt(stmt, kernel);
    return regions.flatMap((region): readonly Diagnostic[] => {
      const place = fixedPlace(region);
      if (!place) return [];
      const beyond = place.box.kind === "buffer" ? outside(place, []) : undefined;
      if (beyond !== undefined) return [diag("schedule/bounds", undefined, kernel.name, text, beyond)];
      const misplaced = stmt.kind === "read" ? undefined : misaligned(place, profile);
      return misplaced === undefined
        ? []
        : [diag("schedule/alignment", undefined, kernel.name, text, misplaced)];
    });
  });
}

/** Where a region lies that depends on no name. */
function fixedPlace({ box, at, size, uses }: PreparedRegion): Place | undefined {
  const isFixed = [...uses.at, ...uses.size].every((it) => it.length === 0);
  return isFixed ? { box, copy: 0, at: at([]), size: size([]) } : undefined;
}
