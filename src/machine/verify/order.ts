/**
 * Whether every access is ordered behind those it depends on. A kernel is run through with a vector clock for each engine; two accesses that
 * overlap, one of them a write, must be ordered. Each loop is followed for its first turns and its last ones, as buffers have come round by then.
 */
import { diag, type Diagnostic } from "../../support/diagnostics.ts";
import type { Profile } from "../profile.ts";
import { coresIn, runCores, type Core } from "../schedule/cores.ts";
import { constantOf, namesOf, type Expr } from "../schedule/expr.ts";
import { statements, type Kernel } from "../schedule/kernel.ts";
import { lcm, type Loop, type Operation, type PreparedPart } from "../schedule/prepare.ts";
import { printStmt } from "../schedule/printer.ts";
import type { Instruction, Place, Turn } from "../schedule/walk.ts";
import { emptyLogs, record, type Access } from "./accesses.ts";
import { flagStates } from "./flag-states.ts";
import { lanesOf, type Clock } from "./lanes.ts";
import { misaligned, outside, unevenRows } from "./places.ts";
import { numbersRead } from "./numbers-read.ts";
import { misfit } from "./shapes.ts";
import { signalCounts } from "./signal-counts.ts";
import type { Reader } from "../simulate/reader.ts";
import type { Trial } from "./verify.ts";

/** Turns of a loop that are followed at its beginning, and at its end. */
const followed = 5;

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
  // Parts that signal to one another leave out the same turns, after which what they share lies where it did.
  const common = [...parts.flatMap((it) => it.loops).map((it) => it.period), ...placesInTurn(kernel)].reduce(lcm, 1); // prettier-ignore
  const lead = leadOf(kernel);
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
    const adds = stmt.kind === "copy" && stmt.add;
    const own: Access = { at: place.at, size: place.size, lane, time, writes, adds, it };
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
      const period = parts.length > 1 ? common : it.loop.period;
      const turns = leftOut(it, period, lead);
      beyondCounter(signals.leaveOut(core, it, period, turns), () => `a loop of the ${core.part.core} part`);
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
      const fault = flags.pass(core, it);
      if (fault) tell(fault);
      lanes.tick(lanes.laneOf(core, engine));
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

/** After how many turns a loop comes back to places that it takes in turn: n of each `i mod n` by its own counter, offset or not. */
function placesInTurn({ parts }: Kernel): readonly number[] {
  const moduli = (e: Expr, counter: string): readonly number[] => {
    if (e.kind !== "binary") return [];
    const n = constantOf(e.right);
    const own = e.op === "mod" && n !== undefined && namesOf(e.left).join() === counter ? [n] : [];
    return [...own, ...moduli(e.left, counter), ...moduli(e.right, counter)];
  };
  return statements(parts.flatMap((it) => it.body)).flatMap((loop) =>
    loop.kind === "for"
      ? loop.body.flatMap((it) => (it.kind === "let" ? moduli(it.value, loop.name) : []))
      : [],
  );
}

/** Turns by which one core may get ahead of another before it is held back: the most signals of one number that are given before all loops. */
function leadOf({ parts }: Kernel): number {
  const given = parts.flatMap(({ core, body }) =>
    body.flatMap((it) => (it.kind === "signal" ? [`${core} ${it.core} ${it.id}`] : [])),
  );
  return Math.max(0, ...[...Map.groupBy(given, (it) => it).values()].map((it) => it.length));
}

/** Turns to leave out: those between the first few and the last few, so many that buffers stand as if they had been taken. */
function leftOut({ index, left }: Turn, period: number, lead: number): number {
  if (index < Math.max(followed + lead, 2 * period + 1)) return 0;
  return Math.floor(Math.max(0, left - followed) / period) * period;
}
