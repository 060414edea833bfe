/** Faults put into correct schedules: how a statement of a kernel is found and changed. */
import type { Kernel, Part, Stmt } from "../../../../src/machine/schedule/kernel.ts";
import { statements } from "../../../../src/machine/schedule/kernel.ts";
import type { Profile } from "../../../../src/machine/profile.ts";
import type { Trial } from "../../../../src/machine/verify/verify.ts";
import type { Code } from "../../../../src/support/diagnostics.ts";

/** Picks a number below n. */
export type Pick = (n: number) => number;

export type Fault = {
  readonly name: string;
  /** The faulty kernel, or undefined where this one offers no place for the fault. */
  readonly put: (
    kernel: Kernel,
    pick: Pick,
    profile: Profile,
    trials: readonly Trial[],
  ) => Kernel | undefined;
  /** Diagnoses that name the fault rightly. */
  readonly codes: readonly Code[];
};

/** What becomes of a statement: one, several or none; undefined where the fault has no place there. */
export type Change = (stmt: Stmt, part: Part) => readonly Stmt[] | undefined;

/** The kernel with one of the statements that can be changed. */
export function change(kernel: Kernel, pick: Pick, by: Change): Kernel | undefined {
  const places = kernel.parts.flatMap(
    (part) =>
    statements(part.body).filter((it) => by(it, part) !== undefined).map((stmt) => ({ part, stmt })), // prettier-ignore
  );
  const chosen = places[pick(Math.max(1, places.length))];
  if (!chosen) return undefined;
  const walk = (body: readonly Stmt[]): readonly Stmt[] =>
    body.flatMap((it): readonly Stmt[] => {
      if (it === chosen.stmt) return by(it, chosen.part) ?? [it];
      return ["body" in it ? { ...it, body: walk(it.body) } : it];
    });
  const parts = kernel.parts.map((it) => (it === chosen.part ? { ...it, body: walk(it.body) } : it));
  return { ...kernel, parts };
}

/** One of several. */
export const oneOf = <T>(all: readonly T[], pick: Pick): T | undefined => all[pick(Math.max(1, all.length))];
