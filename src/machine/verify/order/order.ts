/**
 * Whether every access is ordered behind those it depends on. A kernel is run through with a vector clock for each engine; two accesses that
 * overlap, one of them a write, must be ordered. Each loop is followed for its first turns and its last ones, as buffers have come round by then.
 */
import { diag, type Diagnostic } from "../../../support/diagnostics.ts";
import type { Profile } from "../../profile.ts";
import { coresIn, runCores, type Core } from "../../schedule/cores.ts";
import type { Kernel } from "../../schedule/kernel.ts";
import type { Loop, Operation, PreparedPart } from "../../schedule/prepare.ts";
import { printStmt } from "../../schedule/printer.ts";
import type { Instruction, Place } from "../../schedule/walk.ts";
import { emptyLogs, record, type Access } from "./accesses.ts";
import { flagStates } from "./flag-states.ts";
import { lanesOf, type Clock } from "./lanes.ts";
import { misaligned, outside, unevenRows } from "../places.ts";
import { numbersRead } from "../numbers-read.ts";
import { misfit } from "./shapes.ts";
import { signalCounts } from "./signal-counts.ts";
import { leavingOut } from "./turns.ts";
import type { Reader } from "../../simulate/reader.ts";
import type { Trial } from "../verify.ts";

/** How much of a kernel was followed: the most turns of each loop since the kernel's start, and what had work to do. */
export type Coverage = { readonly turns: Map<Loop, number>; readonly reached: Set<Operation> };

/** Faults found in one run of some groups; the first of each kind is enough. `coverage` grows by what they came through. */
export function orderFaults(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  profile: Profile,
  trial: Trial,
  groups: readonly number[],
  { turns, reached }: Coverage,
): readonly Diagnostic[] {
  const faults: Diagnostic[] = [];
  const tell = (fault: Diagnostic): void =>
    void (faults.some((it) => it.code === fault.code) || faults.push(fault));
  const reader = trial.reader?.(trial.sizes) ?? (() => 0);
  for (const group of groups) {
    const cores = coresIn(parts, profile, trial.sizes, group);
    runGroup(kernel, parts, profile, reader, cores, tell, reached);
    for (const { part, env } of cores)
      for (const loop of part.loops) turns.set(loop, Math.max(turns.get(loop) ?? 0, env[loop.turn] ?? 0));
  }
  return faults;
}

/** Run the cores of one group. */
function runGroup(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  profile: Profile,
  reader: Reader,
  cores: readonly Core[],
  tell: (fault: Diagnostic) => void,
  reached: Set<Operation>,
): void {
  const leaving = leavingOut(kernel, parts);
  const lanes = lanesOf(cores, profile);
  const flags = flagStates(kernel, lanes);
  const signals = signalCounts(profile, lanes);
  const most = profile.flags.cross?.counterMax.value ?? Infinity;
  const logOf = emptyLogs();
  const numbers = numbersRead(reader);
  const text = (it: Instruction): string => printStmt(it.operation.stmt, kernel);

  const access = (core: Core, it: Instruction, place: Place, writes: boolean): void => {
    const { operation } = it;
    const { stmt } = operation;
    const { box } = place;
    const beyond = outside(place, core.env);
    if (beyond !== undefined) return tell(diag("schedule/bounds", undefined, kernel.name, text(it), beyond));
    const isMove = stmt.kind === "copy" && it.places.some((end) => end.box.kind === "tensor");
    const misplaced =
      stmt.kind === "read"
        ? undefined
        : (misaligned(place, profile) ?? (isMove ? unevenRows(place, profile) : undefined));
    if (misplaced !== undefined)
      tell(diag("schedule/alignment", undefined, kernel.name, text(it), misplaced));
    if (box.kind === "tensor" && box.decl.role === "in") return;
    const lane = lanes.laneOf(core, operation.engine);
    const time = lanes.clockOf(lane)[lane] ?? 0;
    const own: Access = { at: place.at, size: place.size, lane, time, writes, it };
    const { unordered: other, isWritten } = record(logOf(core, place), own, lanes);
    if (other) {
      const isPassed = box.kind === "buffer" || box.decl.role === "shared";
      if (writes && other.writes && !isPassed && lanes.ownerOf(other.lane) !== core)
        tell(diag("schedule/two-writers", undefined, kernel.name, text(other.it), text(it), box.decl.name));
      else tell(diag("schedule/race", undefined, kernel.name, text(other.it), text(it), box.decl.name));
    }
    const isFilled = box.kind === "tensor" && box.decl.role === "inout";
    if (!writes && !isWritten && !isFilled)
      tell(diag("schedule/unwritten", undefined, kernel.name, text(it), box.decl.name));
  };
  const beyondCounter = (waiting: number, what: () => string): void => {
    if (waiting > most)
      tell(diag("schedule/counter", undefined, kernel.name, what(), waiting, profile.name, most));
  };

  const left = runCores<Clock>(kernel, profile, cores, {
    turn: (core, it) => {
      const { turns, period, isSignalled } = leaving(core, it);
      if (isSignalled)
        beyondCounter(signals.leaveOut(core, it, period, turns), () => `a loop of the ${core.part.core} part`); // prettier-ignore
      return turns;
    },
    signal: (core, it) => {
      beyondCounter(signals.give(core, it), () => `\`${text(it)}\``);
      return lanes.stamp(lanes.laneOf(core, it.operation.engine));
    },
    take: (core, it, given) => {
      const lane = lanes.laneOf(core, it.operation.engine);
      for (const clock of given) lanes.join(lane, clock);
      signals.take(core, it);
    },
    instruction: (core, it) => {
      const { stmt, engine } = it.operation;
      reached.add(it.operation);
      lanes.tick(lanes.laneOf(core, engine));
      const fault = flags.pass(core, it);
      if (fault) tell(fault);
      if (it.places.length === 0) return undefined;
      const keepsResult = stmt.kind === "matmul" && it.values[0] === 0;
      const result = stmt.kind === "read" ? undefined : it.places.at(-1);
      for (const place of it.places) if (place !== result || keepsResult) access(core, it, place, false);
      if (result) access(core, it, result, true);
      const why = misfit(it);
      if (why !== undefined) tell(diag("schedule/shape", undefined, kernel.name, text(it), why));
      return numbers(core, it);
    },
  });
  for (const flag of [...flags.left(), ...left])
    tell(diag("schedule/left-set", undefined, kernel.name, flag));
}
