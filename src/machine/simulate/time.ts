/**
 * How long a kernel takes. Every engine works off its instructions in order, each beginning when the engine, the flags it waits for and
 * the memory are free; since flags are set before they are waited for in the order of the text, one walk through it finds all times.
 */
import { fail } from "../../support/diagnostics.ts";
import type { Profile } from "../profile.ts";
import type { Kernel } from "../schedule/kernel.ts";
import { environment, preparePart, type Loop, type PreparedPart } from "../schedule/prepare.ts";
import { walk, type Instruction, type Walk } from "../schedule/walk.ts";
import { matrixCycles, transferOf, vectorCycles } from "./cost.ts";
import { outline, readBy, type Reader, type TurnOutline } from "./outline.ts";
import { alike, skipper, type Skipper } from "./steady.ts";
import { trafficOf, type Traffic } from "./traffic.ts";

export type TimedLaunch = { readonly sizes: ReadonlyMap<string, number>; readonly reader?: Reader };

/** One instruction's time, for traces. */
export type Slice = {
  readonly core: string;
  readonly index: number;
  readonly engine: string;
  readonly start: number;
  readonly end: number;
  readonly instruction: Instruction;
};

export type Timing = {
  /** From the first instruction to the last, the launch not counted. */
  readonly cycles: number;
  /** Cycles each engine works, by `core.engine`; of several cores of a kind, the busiest. */
  readonly busy: ReadonlyMap<string, number>;
  /** Bytes over each path, by `from to`, of the whole chip. */
  readonly bytes: ReadonlyMap<string, number>;
  /** Bytes read from and written to the chip's memory. */
  readonly memoryBytes: number;
  readonly macs: number;
  /** Instructions that were walked through; the others were found by their likeness. */
  readonly walked: number;
};

/** The state of one core of the group. */
type Core = {
  readonly part: PreparedPart;
  readonly index: number;
  readonly env: number[];
  readonly steps: Walk;
  readonly engines: Map<string, number>;
  readonly flags: Map<string, number[]>;
  readonly skip: Skipper;
  answer: number | undefined;
  waiting: Instruction | undefined;
  done: boolean;
};

type Totals = {
  readonly busy: Map<string, number>;
  readonly bytes: Map<string, number>;
  memoryBytes: number;
  macs: number;
  walked: number;
};

/**
 * Time a kernel by the group with the most turns; all others do the same beside it, and share memory and cache with it evenly. Turns that
 * repeat are left out, unless `onSlice` wants to see every instruction.
 */
export function time(
  kernel: Kernel,
  profile: Profile,
  launch: TimedLaunch,
  onSlice?: (slice: Slice) => void,
): Timing {
  const reader = launch.reader ?? (() => 0);
  const parts = kernel.parts.map((part) => preparePart(kernel, part, profile));
  const groups = profile.groups.value;
  const envOf = (part: PreparedPart, group: number, index: number, cores: number) =>
    environment(
      part,
      new Map([...launch.sizes, ["group", group], ["groups", groups], ["core", index], ["cores", cores]]),
    );
  const turns = parts.map((part) =>
    Array.from({ length: groups }, (_, group) =>
      outline(part, envOf(part, group, 0, coresOf(profile, part.core)), reader),
    ),
  );
  const traffic = trafficOf(mergedTurns(turns, groups), profile.memory.l2Bytes.value);
  const working = Math.max(
    1,
    Array.from({ length: groups }, (_, g) => turns.some((of) => (of[g]?.length ?? 0) > 0)).filter(Boolean)
      .length,
  );
  const memory = memoryOf(profile, working);
  const signals = new Map<string, number[]>();
  const totals: Totals = { busy: new Map(), bytes: new Map(), memoryBytes: 0, macs: 0, walked: 0 };
  const cores = parts.flatMap((part, p) =>
    Array.from({ length: coresOf(profile, part.core) }, (_, index): Core => {
      const env = envOf(part, 0, index, coresOf(profile, part.core));
      const alone = parts.length === 1 && coresOf(profile, part.core) === 1;
      return {
        part,
        index,
        env,
        steps: walk(part.body, env),
        engines: new Map(),
        flags: new Map(),
        skip: onSlice ? () => 0 : skipper(part, env, alone ? (turns[p]?.[0] ?? []) : []),
        answer: undefined,
        waiting: undefined,
        done: false,
      };
    }),
  );
  const run: Run = { profile, memory, traffic, signals, totals, reader, onSlice };
  while (cores.some((it) => !it.done)) {
    const moved = cores.map((it) => advance(it, run));
    if (!moved.includes(true))
      fail(
        "schedule/deadlock",
        undefined,
        kernel.name,
        cores.filter((it) => !it.done).map((it) => it.part.core),
      );
  }
  const cycles = Math.max(...cores.flatMap((it) => [...it.engines.values()]), memory.free);
  return {
    cycles,
    busy: totals.busy,
    bytes: new Map([...totals.bytes].map(([path, bytes]) => [path, bytes * working])),
    memoryBytes: totals.memoryBytes * working,
    macs: totals.macs * working,
    walked: totals.walked,
  };
}

export const coresOf = (profile: Profile, core: string): number =>
  profile.cores.find((it) => it.name === core)?.perGroup.value ?? 1;

/** The turns of each group, those of its parts side by side. */
const mergedTurns = (
  turns: readonly (readonly (readonly TurnOutline[])[])[],
  groups: number,
): readonly (readonly TurnOutline[])[] =>
  Array.from({ length: groups }, (_, group) => {
    const own = turns.map((of) => of[group] ?? []);
    const rounds = Math.max(0, ...own.map((it) => it.length));
    return Array.from({ length: rounds }, (_, i) => alike(own.flatMap((it) => it[i] ?? [])));
  });

/** The chip's memory as one group meets it: it has its even share of the rate. */
type Memory = { readonly bytesPerCycle: number; readonly cacheBytesPerCycle: number; free: number };

const memoryOf = ({ memory, clock }: Profile, groups: number): Memory => ({
  bytesPerCycle: (memory.bytesPerSecond.value * memory.sustained.value) / (clock.value * 1e6) / groups,
  cacheBytesPerCycle: memory.l2BytesPerCycle.value / groups,
  free: 0,
});

type Run = {
  readonly profile: Profile;
  readonly memory: Memory;
  readonly traffic: Traffic;
  readonly signals: Map<string, number[]>;
  readonly totals: Totals;
  readonly reader: Reader;
  readonly onSlice: ((slice: Slice) => void) | undefined;
};

function advance(core: Core, run: Run): boolean {
  if (core.done) return false;
  if (core.waiting) {
    if (!awaitSignals(core, core.waiting, run)) return false;
    core.waiting = undefined;
  }
  for (;;) {
    const step = core.steps.next(core.answer);
    core.answer = undefined;
    if (step.done) {
      core.done = true;
      return true;
    }
    const it = step.value;
    if (it.kind === "turn") core.answer = leaveOut(core, it.loop, it.left, run);
    else if (it.operation.stmt.kind !== "await") core.answer = issue(core, it, run);
    else if (!awaitSignals(core, it, run)) {
      core.waiting = it;
      return true;
    }
  }
}

/** Turns that need not be walked through, as they would do what the last ones did: their time and work are added at once. */
function leaveOut(core: Core, loop: Loop, left: number, { memory, totals }: Run): number {
  const state = { times: core.engines, flags: core.flags, memory, totals };
  return core.skip(loop, left, state);
}

const free = (core: Core, engine: string): number => core.engines.get(engine) ?? 0;

/** Give an instruction to its engine. Gives the number that a `read` finds. */
function issue(core: Core, it: Instruction, run: Run): number | undefined {
  const { operation, id } = it;
  const { stmt, engine } = operation;
  run.totals.walked++;
  switch (stmt.kind) {
    case "set": {
      const flag = `${stmt.from} ${stmt.to} ${id}`;
      core.flags.set(flag, [...(core.flags.get(flag) ?? []), free(core, engine)]);
      return undefined;
    }
    case "wait": {
      const flag = `${stmt.from} ${stmt.to} ${id}`;
      const [at, ...others] = core.flags.get(flag) ?? [];
      if (at === undefined)
        return fail("schedule/never-set", undefined, core.part.core, stmt.from, stmt.to, id);
      core.flags.set(flag, others);
      core.engines.set(engine, Math.max(free(core, engine), at));
      return undefined;
    }
    case "signal": {
      for (let i = 0; i < coresOf(run.profile, stmt.core); i++) {
        const name = signalName(core.part.core, core.index, stmt.core, i, id);
        run.signals.set(name, [...(run.signals.get(name) ?? []), free(core, engine)]);
      }
      return undefined;
    }
    default: {
      const start = free(core, engine);
      const end = finish(core, it, start, run);
      core.engines.set(engine, end);
      const key = `${core.part.core}.${engine}`;
      if (core.index === 0) run.totals.busy.set(key, (run.totals.busy.get(key) ?? 0) + end - start);
      run.onSlice?.({ core: core.part.core, index: core.index, engine, start, end, instruction: it });
      return stmt.kind === "read" ? readBy(run.reader, it) : undefined;
    }
  }
}

const signalName = (from: string, index: number, to: string, toIndex: number, id: number): string =>
  `${from}.${index} ${to}.${toIndex} ${id}`;

function awaitSignals(
  core: Core,
  { operation: { stmt, engine }, id }: Instruction,
  { signals, profile }: Run,
): boolean {
  if (stmt.kind !== "await") return true;
  const names = Array.from({ length: coresOf(profile, stmt.core) }, (_, i) =>
    signalName(stmt.core, i, core.part.core, core.index, id),
  );
  if (names.some((it) => (signals.get(it) ?? []).length === 0)) return false;
  for (const name of names) {
    const [at = 0, ...others] = signals.get(name) ?? [];
    signals.set(name, others);
    core.engines.set(engine, Math.max(free(core, engine), at));
  }
  return true;
}

/** Cycles a scalar read of global memory takes. */
const scalarRead = 300;

/** When an instruction that begins at `start` is done. */
function finish(core: Core, it: Instruction, start: number, run: Run): number {
  const { profile, totals } = run;
  switch (it.operation.stmt.kind) {
    case "matmul": {
      const { macs, cycles } = matrixCycles(it, profile);
      totals.macs += macs;
      return start + cycles;
    }
    case "vector":
      return start + vectorCycles(it, profile);
    case "read":
      return start + scalarRead;
    default:
      return transferred(core, it, start, run);
  }
}

function transferred(
  core: Core,
  it: Instruction,
  start: number,
  { profile, memory, traffic, totals }: Run,
): number {
  const transfer = transferOf(it, core.part.core, profile);
  if (!transfer) return start;
  const { from, to, bytes, occupied, bytesPerCycle, startup, global } = transfer;
  totals.bytes.set(`${from} ${to}`, (totals.bytes.get(`${from} ${to}`) ?? 0) + bytes);
  if (!global) return start + startup + occupied / bytesPerCycle;
  const moved = start + startup + occupied / Math.min(bytesPerCycle, memory.cacheBytesPerCycle);
  const isShared = global.box.kind === "tensor" && global.box.decl.role === "shared";
  const share = isShared ? 0 : to === "gm" ? 1 : (traffic.get(global.box.decl.name) ?? 1);
  totals.memoryBytes += bytes * share;
  memory.free = Math.max(memory.free, start) + (occupied * share) / memory.bytesPerCycle;
  return Math.max(moved, share > 0 ? memory.free : 0);
}
