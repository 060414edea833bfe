/** Flags between the engines of a core as a run finds them: set or not, what who set them had behind it, and who took them last. */
import { diag, type Diagnostic } from "../../../support/diagnostics.ts";
import type { Core } from "../../schedule/cores.ts";
import type { FlagStmt, Kernel } from "../../schedule/kernel.ts";
import { printStmt } from "../../schedule/printer.ts";
import type { Instruction } from "../../schedule/walk.ts";
import type { Clock, Lanes } from "./lanes.ts";

/** A flag is a single bit. */
type Flag = {
  /** The clock of who set it, until it is waited for. */
  set: Clock | undefined;
  /** The last wait for it, and that wait's place among the instructions of its engine. */
  taker: Instruction | undefined;
  takenAt: number;
};

export type FlagStates = {
  /** Carry out a set or a wait, counted by its engine already; other instructions leave flags alone. */
  readonly pass: (core: Core, it: Instruction) => Diagnostic | undefined;
  /** Flags that are set at the end. */
  readonly left: () => readonly string[];
};

/** Flags none of which is set. */
export function flagStates(kernel: Kernel, lanes: Lanes): FlagStates {
  const states = new Map<Core, Map<string, Flag>>();
  const flagOf = (core: Core, name: string): Flag => {
    let own = states.get(core);
    if (!own) states.set(core, (own = new Map()));
    let flag = own.get(name);
    if (!flag) own.set(name, (flag = { set: undefined, taker: undefined, takenAt: 0 }));
    return flag;
  };
  const text = ({ operation }: Instruction): string => printStmt(operation.stmt, kernel);
  /** Set a flag. Its engine must know that who waits for it has taken what was set before. */
  const set = (core: Core, it: Instruction, { from, to }: FlagStmt, flag: Flag): Diagnostic | undefined => {
    const { taker, takenAt, set: pending } = flag;
    const now = lanes.stamp(lanes.laneOf(core, from));
    flag.set = now;
    if (pending) return diag("schedule/set-twice", undefined, kernel.name, text(it), it.id);
    if (!taker || (now[lanes.laneOf(core, to)] ?? 0) >= takenAt) return undefined;
    return diag("schedule/set-early", undefined, kernel.name, text(it), it.id, text(taker));
  };
  const wait = (core: Core, it: Instruction, { from, to }: FlagStmt, flag: Flag): Diagnostic | undefined => {
    if (!flag.set) return diag("schedule/never-set", undefined, core.part.core, from, to, it.id);
    const own = lanes.laneOf(core, to);
    lanes.join(own, flag.set);
    flag.set = undefined;
    flag.taker = it;
    flag.takenAt = lanes.clockOf(own)[own] ?? 0;
    return undefined;
  };
  return {
    pass: (core, it) => {
      const { stmt, names } = it.operation;
      if (stmt.kind !== "set" && stmt.kind !== "wait") return undefined;
      const flag = flagOf(core, names[it.id - stmt.id] ?? "");
      return stmt.kind === "set" ? set(core, it, stmt, flag) : wait(core, it, stmt, flag);
    },
    left: () =>
      [...states].flatMap(([{ part, index }, own]) =>
        [...own].flatMap(([name, { set }]) => (set ? [`${name} of ${part.core} core ${index}`] : [])),
      ),
  };
}
