/**
 * How long a kernel takes. Every engine works off its instructions in order, each beginning when the engine, the flags it waits for and
 * the memory are free; since flags are set before they are waited for in the order of the text, one walk through it finds all times.
 */
import { fail } from "../../support/diagnostics.ts";
import { globalSpace, scalarEngine, type Profile } from "../profile.ts";
import { memoryBytesPerCycle } from "../rates.ts";
import type { Kernel } from "../schedule/kernel.ts";
import { coresIn, coresOf, prepareParts, runCores, type Core } from "../schedule/cores.ts";
import type { Env } from "../schedule/expr.ts";
import type { Loop, Operation, PreparedPart } from "../schedule/prepare.ts";
import type { Instruction } from "../schedule/walk.ts";
import { aheadOf, ratesOf, reserve, shareOf, type Memory } from "./bandwidth.ts";
import { matrixCycles, transferOf, vectorCycles } from "./cost.ts";
import { readBy, type Reader } from "./reader.ts";
import { formsOf, shortener, type Form } from "./turns/forms.ts";
import { againLoops, outlinesOf } from "./reads/nest.ts";
import { readingsOf, type Boxes, type Turns } from "./reads/readings.ts";
import { trafficOf, type Shares, type Traffic } from "./reads/traffic.ts";
import { repeater, type Repeater } from "./turns/repeat.ts";
import { signallingLoops, skipper } from "./turns/steady.ts";

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
  /** Groups that have work, and how evenly: turns of all groups over those of the busiest times the chip's groups. */
  readonly working: number;
  readonly balance: number;
  /** Instructions that were walked through; the others were found by their likeness. */
  readonly walked: number;
};

/**
 * How far the engines of one core have come: when each can begin its next instruction, when all it was given is done, and when what it
 * stored is seen by others.
 */
type Clock = {
  readonly ready: Map<string, number>;
  readonly done: Map<string, number>;
  readonly seen: Map<string, number>;
  readonly flags: Map<string, number[]>;
  readonly memory: Memory;
  readonly totals: Totals;
  /** The turn it is in, those of all outermost loops counted. */
  round: number;
} & Repeater;

type Totals = {
  readonly busy: Map<string, number>;
  readonly bytes: Map<string, number>;
  /** Written, and read outside of all loops. */
  memoryBytes: number;
  macs: number;
  walked: number;
};

/**
 * Time a kernel by the group that reads most, and of those the first; all others do the same beside it, and share memory and cache with it evenly. Turns that
 * repeat are left out, unless `onSlice` wants to see every instruction.
 */
export function time(
  kernel: Kernel,
  profile: Profile,
  launch: TimedLaunch,
  onSlice?: (slice: Slice) => void,
): Timing {
  const reader = launch.reader ?? (() => 0);
  const parts = prepareParts(kernel, profile);
  const boxes: Boxes = new Map();
  const outlines = new Map(parts.map((it) => [it, outlinesOf(it)]));
  const readings = new Map(parts.map((it) => [it, readingsOf(it, outlines.get(it) ?? [], reader, boxes)]));
  const turns = Array.from({ length: profile.groups.value }, (_, group) =>
    sideBySide(
      coresIn(parts, profile, launch.sizes, group).map(({ part, env }) => readings.get(part)?.(env) ?? []),
      (of) => of.flat(),
    ),
  );
  const lengths = turns.map((it) => it.length);
  const most = Math.max(1, ...lengths);
  const working = Math.max(1, lengths.filter((it) => it > 0).length);
  /** Groups that take a turn of the outermost loop, and share the memory then: those with fewer are done before. */
  const inTurn = Array.from({ length: most }, (_, turn) => Math.max(1, lengths.filter((it) => it > turn).length)); // prettier-ignore
  const { busiest, all } = loadOf(turns);
  const traffic = trafficOf(turns, profile.memory.l2Bytes.value);
  const kinds = new Map<Shares | undefined, number>([...new Set(traffic.rounds)].map((it, i) => [it, i]));
  const again = new Map(
    [...outlines.values()].flat().flatMap(({ nests }) => nests.map((it) => [it.copy, againLoops(it)])),
  );
  const cores = coresIn(parts, profile, launch.sizes, busiest);
  const outer = coresIn(parts, profile, launch.sizes, busiest).map(({ part, env }) =>
    formsOf(part, env, reader, countedLoops(part, parts), (round) => `${inTurn[round]} ${kinds.get(traffic.rounds[round])}`),
  ); // prettier-ignore
  const together = inStep(outer, parts) ? sideBySide(outer, joined) : [];
  const clocks = new Map<Core, Clock>();
  cores.forEach((core, i) => {
    const { part, env } = core;
    const forms = inContext(parts.length === 1 ? (outer[i] ?? []) : together);
    clocks.set(core, {
      ready: new Map(),
      done: new Map(),
      seen: new Map(),
      flags: new Map(),
      memory: shareOf(profile, working * coresOf(profile, part.core)),
      totals: { busy: new Map(), bytes: new Map(), memoryBytes: 0, macs: 0, walked: 0 },
      round: -1,
      ...(onSlice ? asItIs : repeaterOf(part, env, parts, forms, new Set([...again.values()].flat()))),
    });
  });
  const run: Run = { profile, traffic, again, reader, onSlice };
  const clockOf = (core: Core): Clock => {
    const clock = clocks.get(core);
    if (!clock) throw new Error("a core has its clock");
    return clock;
  };
  runCores<number>(kernel, profile, cores, {
    turn: (core, turn) => {
      const clock = clockOf(core);
      const skipped = clock.skip(turn, clock);
      if (!core.part.body.includes(turn.loop)) return skipped;
      clock.round += Math.min(skipped + 1, turn.left);
      const sharing = inTurn[clock.round];
      if (sharing !== undefined)
        Object.assign(clock.memory, ratesOf(profile, sharing * coresOf(profile, core.part.core)));
      return skipped;
    },
    instruction: (core, it) => issue(core, clockOf(core), it, run),
    signal: (core, { operation }) => seenOf(clockOf(core), operation.engine),
    take: (core, { operation: { engine } }, at) => {
      hold(clockOf(core), engine, Math.max(...at));
    },
  });
  for (const clock of clocks.values()) clock.settle(clock);
  const totals = sumOf(clocks);
  const memoryBytes = traffic.bytes + totals.memoryBytes * all;
  const cachedBytes = [...totals.bytes].reduce((n, [path, bytes]) => (path.split(" ").includes(globalSpace) ? n + bytes * all : n), 0); // prettier-ignore
  const ends = [...clocks.values()].flatMap(({ done, seen }) => [...done.values(), ...seen.values()]);
  return {
    // Cores of one kind share the memory and its cache evenly; those of several kinds meet in them only here.
    cycles: Math.max(
      memoryBytes / (memoryBytesPerCycle(profile) * profile.memory.sustained.value),
      cachedBytes / profile.memory.l2BytesPerCycle.value,
      ...ends,
    ),
    busy: totals.busy,
    bytes: new Map([...totals.bytes].map(([path, bytes]) => [path, bytes * all])),
    memoryBytes,
    macs: totals.macs * all,
    working,
    balance: all / turns.length,
    walked: totals.walked,
  };
}

/** The group that reads most, and what all groups do in times what it does; of those that read nothing, turns are counted. */
function loadOf(turns: readonly Turns[]): {
  readonly busiest: number;
  readonly all: number;
} {
  const total = (of: readonly number[]): number => of.reduce((n, it) => n + it, 0);
  const reads = turns.map((own) =>
    own.reduce((n, of) => of.reduce((m, { first, again }) => m + first + again, n), 0),
  );
  const loads = reads.some((it) => it > 0) ? reads : turns.map((it) => it.length);
  const most = Math.max(...loads);
  return { busiest: loads.indexOf(most), all: Math.max(1, total(loads) / Math.max(1, most)) };
}

/** The turns of several cores as one. */
function sideBySide<T>(cores: readonly (readonly T[])[], join: (turns: readonly T[]) => T): readonly T[] {
  const [only, another] = cores;
  if (only && !another) return only;
  const most = Math.max(0, ...cores.map((it) => it.length));
  return Array.from({ length: most }, (_, i) => join(cores.flatMap((it) => it.slice(i, i + 1))));
}

/** The outermost loops whose turns are counted: where several parts signal to one another, those in which they do. */
const countedLoops = (part: PreparedPart, parts: readonly PreparedPart[]): readonly Loop[] =>
  parts.length > 1 ? signallingLoops(part) : part.body.filter((it) => it.kind === "loop");

/** Whether all cores go through one loop each, of the same turns. */
const inStep = (turns: readonly (readonly Form[])[], parts: readonly PreparedPart[]): boolean =>
  parts.every((it) => signallingLoops(it).length === 1) &&
  turns.every((it) => it.length === turns[0]?.length);

/** Turns until all are alike: parts that await one another end one before they begin the next, and leave out the same. */
const known = {
  together: { times: 2, atMost: 2, ofLong: 1 },
  alone: { times: 8, atMost: 24, ofLong: 2 },
} as const;

/** What several cores do in a turn, as one. */
const joined = (of: readonly Form[]): Form => ({
  shape: of.map((it) => it.shape).join("/"),
  rounds: of.flatMap((it) => it.rounds),
  instructions: of.reduce((n, it) => n + it.instructions, 0),
});

/**
 * Turns told apart by what stands before them, since they begin while it ends: the shape of the last that had work, and how many turns
 * without any have followed it.
 */
function inContext(forms: readonly Form[]): readonly Form[] {
  const short = shortener();
  let [last, idle] = ["", 0];
  return forms.map((it) => {
    const shape = short(`${it.shape} after ${idle} and ${last}`);
    [last, idle] = it.instructions > 0 ? [it.shape, 0] : [last, idle + 1];
    return { ...it, shape };
  });
}

/** Every turn is walked through. */
const asItIs: Repeater = { skip: () => 0, settle: () => {} };

/** Instructions that are walked through sooner than it is worth to leave turns out: turns that differ much overlap as no other does. */
const few = 8_000;
const isShort = (forms: readonly Form[]): boolean => forms.reduce((n, it) => n + it.instructions, 0) <= few;

/** What leaves out the turns of a core. */
function repeaterOf(
  part: PreparedPart,
  env: Env,
  parts: readonly PreparedPart[],
  forms: readonly Form[],
  again: ReadonlySet<Loop>,
): Repeater {
  const steady = skipper(part, env, parts.length === 1 ? forms : [], again);
  const [loop, another] = countedLoops(part, parts);
  if (!loop || another || isShort(forms)) return { ...asItIs, skip: steady };
  return repeater(part, env, loop, forms, parts.length > 1 ? known.together : known.alone, steady);
}

/** What all cores did; how busy engines were, of the first of each kind. */
function sumOf(clocks: ReadonlyMap<Core, Clock>): Totals {
  const sum: Totals = { busy: new Map(), bytes: new Map(), memoryBytes: 0, macs: 0, walked: 0 };
  for (const [{ part }, { totals }] of clocks) {
    const { busy, bytes, memoryBytes, macs, walked } = totals;
    for (const [engine, value] of busy) {
      const key = `${part.core}.${engine}`;
      sum.busy.set(key, (sum.busy.get(key) ?? 0) + value);
    }
    for (const [key, value] of bytes) sum.bytes.set(key, (sum.bytes.get(key) ?? 0) + value);
    sum.memoryBytes += memoryBytes;
    sum.macs += macs;
    sum.walked += walked;
  }
  return sum;
}

type Run = {
  readonly profile: Profile;
  readonly traffic: Traffic;
  /** Of copies from memory, the loops around them that come back to what they read. */
  readonly again: ReadonlyMap<Operation, readonly Loop[]>;
  readonly reader: Reader;
  readonly onSlice: ((slice: Slice) => void) | undefined;
};

const readyOf = ({ ready }: Clock, engine: string): number => ready.get(engine) ?? 0;
const doneOf = ({ done }: Clock, engine: string): number => done.get(engine) ?? 0;
const seenOf = (clock: Clock, engine: string): number =>
  Math.max(doneOf(clock, engine), clock.seen.get(engine) ?? 0);
const hold = (clock: Clock, engine: string, until: number): void =>
  void clock.ready.set(engine, Math.max(readyOf(clock, engine), until));

/** Give an instruction to its engine. Gives the number that a `read` finds. */
function issue(core: Core, clock: Clock, it: Instruction, run: Run): number | undefined {
  const { operation, id } = it;
  const { stmt, engine } = operation;
  clock.totals.walked++;
  if (stmt.kind === "set" || stmt.kind === "wait") {
    const flag = `${stmt.from} ${stmt.to} ${id}`;
    const set = clock.flags.get(flag) ?? [];
    clock.flags.set(flag, set);
    if (stmt.kind === "set") return void set.push(Math.max(doneOf(clock, engine), readyOf(clock, engine)));
    const at = set.shift() ?? fail("schedule/never-set", undefined, core.part.core, stmt.from, stmt.to, id);
    hold(clock, engine, at);
    return undefined;
  }
  // The scalar unit hands out the instructions, and none before it has read what stands above it in the text.
  const start = Math.max(readyOf(clock, engine), doneOf(clock, scalarEngine));
  const { next, end, seen = end } = finish(core, clock, it, start, run);
  clock.ready.set(engine, next);
  clock.done.set(engine, Math.max(doneOf(clock, engine), end));
  if (seen > end) clock.seen.set(engine, Math.max(seenOf(clock, engine), seen));
  if (core.index === 0) clock.totals.busy.set(engine, (clock.totals.busy.get(engine) ?? 0) + next - start);
  run.onSlice?.({ core: core.part.core, index: core.index, engine, start, end, instruction: it });
  return stmt.kind === "read" ? readBy(run.reader, it) : undefined;
}

/** Cycles that the scalar unit takes to read a number of global memory, or of a buffer. */
const scalarRead = { tensor: 300, buffer: 32 } as const;

/** When an instruction's engine can begin the next, when it is done itself, and when what it stored is seen, where that is later. */
type Finish = { readonly next: number; readonly end: number; readonly seen?: number };
const both = (end: number): Finish => ({ next: end, end });

function finish(core: Core, clock: Clock, it: Instruction, start: number, run: Run): Finish {
  const { profile } = run;
  const { totals } = clock;
  switch (it.operation.stmt.kind) {
    case "matmul": {
      const { macs, cycles } = matrixCycles(it, profile);
      totals.macs += macs;
      return both(start + cycles);
    }
    case "vector":
      return both(start + vectorCycles(it, profile));
    case "read":
      return both(start + scalarRead[it.places[0]?.box.kind ?? "tensor"]);
    default:
      return transferred(core, clock, it, start, run);
  }
}

/**
 * A copy keeps its engine as long as its bytes take the path: what is read of memory comes at the core's share of it, what the cache holds
 * at the path's rate, one after the other, as the engine goes through a copy in order. It asks ahead of the memory. The latency only who needs
 * the data waits for: the engine has asked for the next by then. What is stored has left its buffer when the path has taken it.
 */
function transferred(core: Core, clock: Clock, it: Instruction, start: number, run: Run): Finish {
  const { memory, totals } = clock;
  const { profile } = run;
  const transfer = transferOf(it, core.part.core, profile);
  if (!transfer) return both(start);
  const { from, to, bytes, occupied, bytesPerCycle, latency, global } = transfer;
  totals.bytes.set(`${from} ${to}`, (totals.bytes.get(`${from} ${to}`) ?? 0) + bytes);
  const begun = start + transfer.startup;
  if (!global) return both(begun + Math.max(transfer.least, occupied / bytesPerCycle));
  const rate = Math.min(bytesPerCycle, memory.cacheBytesPerCycle);
  const isShared = global.box.kind === "tensor" && global.box.decl.role === "shared";
  const known = isShared ? 0 : to === globalSpace ? undefined : shareOfMemory(core, clock, it, run);
  if (known === undefined) totals.memoryBytes += bytes;
  const share = known ?? 1;
  if (to === globalSpace) {
    const next = begun + Math.max(transfer.least, occupied / rate);
    const served = isShared ? next : reserve(memory, start, occupied / memory.bytesPerCycle);
    return { next, end: next, seen: Math.max(next, served) + latency };
  }
  const missed = occupied * share;
  const most = Math.min(rate, coreRate(profile), transfer.memoryBytesPerCycle);
  const ofMemory = Math.min(most, memory.bytesPerCycle);
  const cycles = missed / ofMemory;
  const taken = begun + Math.max(transfer.least, occupied / rate);
  if (missed === 0) return { next: taken, end: taken + latency };
  const fetched = reserve(memory, start, cycles);
  const hits = (occupied - missed) / rate;
  const asked = fetched - aheadOf(memory, cycles, { most, rate: ofMemory, latency });
  const next = Math.max(taken, asked + hits);
  return { next, end: Math.max(next, fetched) + latency };
}

/** The share of what a copy reads that the cache does not hold; undefined for what stands in no loop. */
function shareOfMemory(
  { env }: Core,
  { round }: Clock,
  { operation, places: [source] }: Instruction,
  { traffic, again }: Run,
): number | undefined {
  const share = traffic.rounds[round]?.get(source?.box.decl.name ?? "");
  const isBack = again.get(operation)?.some((it) => env[it.slot] !== it.from(env)) === true;
  return isBack ? share?.again : share?.first;
}

const coreRate = ({ memory }: Profile): number => memory.coreBytesPerCycle?.value ?? Infinity;
