/**
 * Whether every access is ordered behind those it depends on. A kernel is run through with a vector clock for each engine (Fidge 1988,
 * Mattern 1989): an engine's own instructions follow one another, a wait joins the clock of the flag that it waits for. Two accesses that
 * overlap, one of them a write, must be ordered; each loop is followed for its first turns and its last ones, as buffers have come round by then.
 */
import { diag, type Diagnostic } from "../../support/diagnostics.ts";
import { dtypes } from "../../tensor/dtype.ts";
import type { Profile, Space } from "../profile.ts";
import { coresIn, runCores, type Core } from "../schedule/cores.ts";
import { constantOf, namesOf, type Expr } from "../schedule/expr.ts";
import { statements, type Kernel } from "../schedule/kernel.ts";
import { lcm, type PreparedPart } from "../schedule/prepare.ts";
import { printStmt } from "../schedule/printer.ts";
import type { Instruction, Place, Turn } from "../schedule/walk.ts";
import { overlap, within, type Extent } from "./boxes.ts";
import type { Reader } from "../simulate/outline.ts";
import type { Trial } from "./verify.ts";

/** One access that later ones must be held against. */
type Access = Extent & {
  readonly lane: number;
  readonly time: number;
  readonly writes: boolean;
  readonly adds: boolean;
  readonly it: Instruction;
};

type Clock = Int32Array;

/** Turns of a loop that are followed at its beginning, and at its end. */
const followed = 5;

/** Faults found in one run of two groups; the first of each kind is enough. */
export function orderFaults(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  profile: Profile,
  trial: Trial,
): readonly Diagnostic[] {
  const faults: Diagnostic[] = [];
  const groups = [0, 1].slice(0, profile.groups.value);
  const { sizes } = trial;
  const reader = trial.reader?.() ?? (() => 0);
  const written = groups.map((group) => runGroup(kernel, parts, profile, { sizes, reader }, group, faults));
  if (faults.length === 0) faults.push(...foreignWrites(kernel, written));
  return faults;
}

/** Boxes of tensors that two groups write, though nothing orders groups. */
function foreignWrites(
  kernel: Kernel,
  [first = new Map(), second = new Map()]: readonly ReadonlyMap<string, readonly Access[]>[],
): readonly Diagnostic[] {
  for (const [tensor, accesses] of first)
    for (const a of accesses)
      for (const b of second.get(tensor) ?? [])
        if (overlap(a, b) && !(a.adds && b.adds))
          return [
            diag(
              "schedule/two-writers",
              undefined,
              kernel.name,
              printStmt(a.it.operation.stmt, kernel),
              tensor,
            ),
          ];
  return [];
}

/** Run one group; gives what it writes to tensors that other groups see. */
function runGroup(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  profile: Profile,
  { sizes, reader }: { readonly sizes: Trial["sizes"]; readonly reader: Reader },
  group: number,
  faults: Diagnostic[],
): ReadonlyMap<string, readonly Access[]> {
  const cores = coresIn(parts, profile, sizes, group);
  // Parts that signal to one another leave out the same turns, after which what they share lies where it did.
  const common = [...parts.flatMap((it) => it.loops).map((it) => it.period), ...placesInTurn(kernel)].reduce(lcm, 1); // prettier-ignore
  const lanes = new Map<string, number>();
  const owners: Core[] = []; // of each lane
  for (const core of cores)
    for (const { name } of profile.engines.filter((it) => it.core === core.part.core)) {
      lanes.set(`${core.part.core}.${core.index} ${name}`, lanes.size);
      owners.push(core);
    }
  const clocks = Array.from({ length: lanes.size }, () => new Int32Array(lanes.size));
  const flags = new Map<string, Clock>();
  const log = new Map<string, Access[]>();
  const tell = (fault: Diagnostic): void =>
    void (faults.some((it) => it.code === fault.code) || faults.push(fault));
  const laneOf = (core: Core, engine: string): number =>
    lanes.get(`${core.part.core}.${core.index} ${engine}`) ?? 0;
  const clockOf = (lane: number): Clock => clocks[lane] ?? new Int32Array(lanes.size);
  const join = (lane: number, other: Clock): void => {
    const own = clockOf(lane);
    for (let i = 0; i < own.length; i++) own[i] = Math.max(own[i] ?? 0, other[i] ?? 0);
  };

  const flag = (core: Core, it: Instruction): void => {
    const { stmt } = it.operation;
    if (stmt.kind !== "set" && stmt.kind !== "wait") return;
    const name = `${core.part.core}.${core.index} ${stmt.from} ${stmt.to} ${it.id}`;
    const text = printStmt(stmt, kernel);
    const set = flags.get(name);
    if (stmt.kind === "set") {
      if (set) tell(diag("schedule/set-twice", undefined, kernel.name, text, it.id));
      flags.set(name, Int32Array.from(clockOf(laneOf(core, stmt.from))));
    } else if (!set) tell(diag("schedule/never-set", undefined, core.part.core, stmt.from, stmt.to, it.id));
    else {
      join(laneOf(core, stmt.to), set);
      flags.delete(name);
    }
  };

  // Which tensor's numbers a copy of a buffer holds, and from where on: `read`s of it find them.
  const brought = new Map<string, { readonly from: Place; readonly to: Place }>();
  const keyOf = (core: Core, { box, copy }: Place): string =>
    box.kind === "tensor" ? box.decl.name : `${core.part.core}.${core.index} ${box.index} ${copy}`;
  const bring = (core: Core, { operation: { stmt }, places: [from, to] }: Instruction): void => {
    if (stmt.kind === "copy" && from?.box.kind === "tensor" && to?.box.kind === "buffer")
      brought.set(keyOf(core, to), { from, to });
  };
  const readAt = (core: Core, place: Place): number => {
    const source = brought.get(keyOf(core, place));
    if (!source) return reader(place.box.decl.name, place.at);
    const further = (place.at.at(-1) ?? 0) - (source.to.at.at(-1) ?? 0);
    return reader(source.from.box.decl.name, [...source.from.at.slice(0, -1), (source.from.at.at(-1) ?? 0) + further]); // prettier-ignore
  };

  const access = (core: Core, it: Instruction, place: Place, writes: boolean): void => {
    const beyond = outside(place, core.env);
    if (beyond !== undefined) return tell(diag("schedule/bounds", undefined, kernel.name, printStmt(it.operation.stmt, kernel), beyond)); // prettier-ignore
    const misplaced = it.operation.stmt.kind === "read" ? undefined : misaligned(place, profile);
    if (misplaced !== undefined) tell(diag("schedule/alignment", undefined, kernel.name, printStmt(it.operation.stmt, kernel), misplaced)); // prettier-ignore
    const { box } = place;
    if (box.kind === "tensor" && box.decl.role === "in") return;
    const lane = laneOf(core, it.operation.engine);
    const clock = clockOf(lane);
    const key = keyOf(core, place);
    const { stmt } = it.operation;
    const own: Access = { at: place.at, size: place.size, lane, time: clock[lane] ?? 0, writes, adds: stmt.kind === "copy" && stmt.add, it }; // prettier-ignore
    const before = log.get(key) ?? [];
    let isWritten = box.kind === "tensor" && box.decl.role !== "shared" && box.decl.role !== "out";
    const kept = before.filter((old) => {
      if (!overlap(old, own)) return true;
      isWritten ||= old.writes;
      const isBefore = old.lane === lane || (clock[old.lane] ?? 0) >= old.time;
      const isForeign = owners[old.lane] !== core && box.kind === "tensor" && box.decl.role !== "shared";
      if (!isBefore && writes && old.writes && isForeign)
        tell(diag("schedule/two-writers", undefined, kernel.name, printStmt(stmt, kernel), box.decl.name));
      else if (!isBefore && (writes || old.writes))
        tell(diag("schedule/race", undefined, kernel.name, printStmt(old.it.operation.stmt, kernel), printStmt(stmt, kernel), box.decl.name)); // prettier-ignore
      // What a later access stands for need not be remembered.
      return !(isBefore && within(old, own) && (writes || (!old.writes && old.lane === lane)));
    });
    if (!writes && !isWritten)
      tell(diag("schedule/unwritten", undefined, kernel.name, printStmt(stmt, kernel), box.decl.name));
    log.set(key, [...kept, own]);
  };

  runCores<Clock>(kernel, profile, cores, {
    turn: (_, it) => leftOut(it, parts.length > 1 ? common : it.loop.period),
    signal: (core, it) => Int32Array.from(clockOf(laneOf(core, it.operation.engine))),
    take: (core, it, given) => given.forEach((clock) => join(laneOf(core, it.operation.engine), clock)),
    instruction: (core, it) => {
      const { stmt, engine } = it.operation;
      flag(core, it);
      const lane = laneOf(core, engine);
      const clock = clockOf(lane);
      clock[lane] = (clock[lane] ?? 0) + 1;
      const keepsResult = stmt.kind === "matmul" && it.values[0] === 0;
      const result = stmt.kind === "read" ? undefined : it.places.at(-1);
      for (const place of it.places) if (place !== result || keepsResult) access(core, it, place, false);
      if (result) access(core, it, result, true);
      bring(core, it);
      const [from] = it.places;
      return stmt.kind === "read" && from ? readAt(core, from) : undefined;
    },
  });
  for (const [name] of flags) tell(diag("schedule/left-set", undefined, kernel.name, name));
  const shown = new Set(kernel.tensors.filter((it) => it.role !== "shared").map((it) => it.name));
  return new Map(
    [...log].filter(([key]) => shown.has(key)).map(([key, all]) => [key, all.filter((it) => it.writes)]),
  );
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

/** Turns to leave out: those between the first few and the last few, so many that buffers stand as if they had been taken. */
function leftOut({ index, left }: Turn, period: number): number {
  if (index < Math.max(followed, 2 * period + 1)) return 0;
  return Math.floor(Math.max(0, left - followed) / period) * period;
}

/** In words, what of a place is beyond its buffer or tensor. */
function outside({ box, at, size }: Place, env: number[]): string | undefined {
  const dims = box.kind === "tensor" ? box.dims.map((it) => it(env)) : [box.decl.rows, box.decl.cols];
  const axis = at.findIndex((from, i) => from < 0 || from + (size[i] ?? 0) > (dims[i] ?? 0));
  if (axis < 0) return undefined;
  const [from = 0, n = 0] = [at[axis], size[axis]];
  return `${from}..${from + n} of axis ${axis} of ${box.decl.name}, which has ${dims[axis]}`;
}

/** In words, how a place in a buffer starts where its space cannot be addressed. */
function misaligned({ box, at: [row = 0, col = 0] }: Place, profile: Profile): string | undefined {
  if (box.kind !== "buffer") return undefined;
  const space = profile.spaces.find((s) => s.name === box.decl.space);
  if (!space) return undefined;
  const bytes = (col * dtypes[box.decl.dtype].bits) / 8;
  const isFractal = space.fractal !== undefined && !space.layouts.includes("nd");
  return isFractal
    ? fractalFault(row, bytes, space, box.decl.name)
    : linearFault(row, bytes, box.decl.cols, space, box.decl);
}

function fractalFault(row: number, bytes: number, { fractal }: Space, name: string): string | undefined {
  if (!fractal) return undefined;
  const [rows, wide] = [fractal.rows.value, fractal.rowBytes.value];
  if (row % rows !== 0) return `row ${row} of ${name} is not at a multiple of ${rows}`;
  return bytes % wide === 0
    ? undefined
    : `column at byte ${bytes} of ${name} is not at a multiple of ${wide}`;
}

function linearFault(
  row: number,
  bytes: number,
  cols: number,
  { align, scope }: Space,
  { name, dtype }: { readonly name: string; readonly dtype: keyof typeof dtypes },
): string | undefined {
  if (scope !== "core") return undefined;
  const unit = Math.min(align.value, 32);
  const start = row * ((cols * dtypes[dtype].bits) / 8) + bytes;
  return start % unit === 0 ? undefined : `byte ${start} of ${name} is not at a multiple of ${unit}`;
}
