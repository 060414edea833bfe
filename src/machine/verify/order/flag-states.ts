/** Flags between the engines of a core as a run finds them: set or not, and what who set them had behind it. */
import { diag, type Diagnostic } from "../../../support/diagnostics.ts";
import type { Core } from "../../schedule/cores.ts";
import type { Kernel } from "../../schedule/kernel.ts";
import { printStmt } from "../../schedule/printer.ts";
import type { Instruction } from "../../schedule/walk.ts";
import type { Clock, Lanes } from "./lanes.ts";

export type FlagStates = {
  /** Carry out a set or a wait; other instructions leave flags alone. */
  readonly pass: (core: Core, it: Instruction) => Diagnostic | undefined;
  /** Flags that are set at the end. */
  readonly left: () => readonly string[];
};

/** Flags none of which is set. */
export function flagStates(kernel: Kernel, lanes: Lanes): FlagStates {
  const states = new Map<Core, Map<string, Clock>>();
  return {
    pass: (core, it) => {
      const { stmt, names } = it.operation;
      if (stmt.kind !== "set" && stmt.kind !== "wait") return undefined;
      const own = states.get(core) ?? new Map<string, Clock>();
      states.set(core, own);
      const name = names[it.id - stmt.id] ?? "";
      const set = own.get(name);
      if (stmt.kind === "set") {
        own.set(name, lanes.stamp(lanes.laneOf(core, stmt.from)));
        return set && diag("schedule/set-twice", undefined, kernel.name, printStmt(stmt, kernel), it.id);
      }
      if (!set) return diag("schedule/never-set", undefined, core.part.core, stmt.from, stmt.to, it.id);
      lanes.join(lanes.laneOf(core, stmt.to), set);
      own.delete(name);
      return undefined;
    },
    left: () =>
      [...states].flatMap(([{ part, index }, own]) =>
        [...own.keys()].map((name) => `${name} of ${part.core} core ${index}`),
      ),
  };
}
