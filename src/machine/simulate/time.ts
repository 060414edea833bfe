/**
 * How long a kernel takes. Every engine works off its instructions in order, each beginning when the engine, the flags it waits for and
 * the memory are free; since flags are set before they are waited for in the order of the text, one walk through it finds all times.
 */
import { globalSpace, type Profile } from "../profile.ts";
import { memoryBytesPerCycle } from "../rates.ts";
import {
  beginnings,
  coresAt,
  coresOf,
  prepareParts,
  runCores,
  type Beginning,
  type Core,
} from "../schedule/cores.ts";
import type { Env } from "../schedule/expr.ts";
import type { Kernel } from "../schedule/kernel.ts";
import type { PreparedPart } from "../schedule/prepare.ts";
import type { Turn } from "../schedule/walk.ts";
import { ratesOf } from "./bandwidth.ts";
import { clockFor, engineOf, hold, seenOf, sumOf, type Clock } from "./clock.ts";
import { issue, type Run, type Slice } from "./issue.ts";
import type { Reader } from "./reader.ts";
import { loadsOf, readTogether, type Loads } from "./reads/loads.ts";
import { sharesOfAlike } from "./reads/alike.ts";
import { broughtIn } from "./reads/brought.ts";
import { againLoops, countedAs, outlinesOf, type Outline } from "./reads/nest.ts";
import { readingsOf, type Boxes, type Turns } from "./reads/readings.ts";
import { trafficOf, type Shares, type Traffic } from "./reads/traffic.ts";
import { leavingOut, type LeftOut } from "./turns/left-out.ts";

export type TimedLaunch = { readonly sizes: ReadonlyMap<string, number>; readonly reader?: Reader };

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
 * Time a kernel by the group that reads most; all others do the same beside it, and share memory and cache with it evenly. Turns that
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
  const all = beginnings(parts, profile, launch.sizes);
  const brought = broughtIn(parts);
  const outlines = new Map(parts.map((it) => [it, outlinesOf(it, brought)]));
  const turns = readingsOfGroups(profile, all, outlines, reader);
  const loads = loadsOf(turns);
  const traffic = trafficOf(turns, profile.memory.l2Bytes.value);
  const nests = [...outlines.values()].flat().flatMap((it) => it.nests);
  const again = new Map(nests.map((it) => [it.copy, againLoops(it)]));
  const counted = new Map(nests.map((it) => [it.copy, countedAs(it)]));
  const alike = sharesOfAlike(parts, profile, loads.working);
  const cores = coresAt(all, loads.busiest);
  const clocks = new Map(cores.map((it) => [it, clockFor(profile, it, loads.working)]));
  const leftOut = onSlice
    ? undefined
    : leavingOut(parts, clocks, coresAt(all, loads.busiest), profile, {
        reader,
        of: conditionsOf(loads, traffic),
        again: new Set([...again.values()].flat()),
      });
  walkThrough(kernel, clocks, leftOut, loads, { profile, traffic, again, counted, alike, reader, onSlice });
  return timingOf(profile, clocks, loads, traffic, turns.length);
}

/** What each group reads, turn by turn. */
function readingsOfGroups(
  profile: Profile,
  all: readonly Beginning[],
  outlines: ReadonlyMap<PreparedPart, readonly Outline[]>,
  reader: Reader,
): readonly Turns[] {
  const boxes: Boxes = new Map();
  const kinds = all.map(({ part, cores, enter }) => {
    const env: Env = []; // of each core in turn: there may be thousands of groups
    return { cores, enter, env, read: readingsOf(part, outlines.get(part) ?? [], reader, boxes) };
  });
  const groups: Turns[] = [];
  for (let group = 0; group < profile.groups.value; group++) {
    const turns: Turns[] = [];
    for (const { cores, enter, env, read } of kinds)
      for (let index = 0; index < cores; index++) turns.push(read(enter(env, group, index)));
    groups.push(readTogether(turns));
  }
  return groups;
}

/** What a turn meets: how many groups share the memory, and what the cache holds. */
function conditionsOf({ inTurn }: Loads, { rounds }: Traffic): (round: number) => string {
  const kinds = new Map<Shares | undefined, number>([...new Set(rounds)].map((it, i) => [it, i]));
  return (round) => `${inTurn[round]} ${kinds.get(rounds[round])}`;
}

/** Let the cores of a group go through a kernel. */
function walkThrough(
  kernel: Kernel,
  clocks: ReadonlyMap<Core, Clock>,
  leftOut: LeftOut | undefined,
  { inTurn }: Loads,
  run: Run,
): void {
  const { profile } = run;
  const of = (core: Core): Clock => {
    const it = clocks.get(core);
    if (!it) throw new Error("a core has its clock");
    return it;
  };
  /** A core goes on to a turn, so many being left out before it. */
  const begin = (core: Core, { loop, left }: Turn, skipped: number): void => {
    if (!core.part.body.includes(loop)) return;
    const clock = of(core);
    clock.round += Math.min(skipped + 1, left);
    const sharing = inTurn[clock.round];
    if (sharing !== undefined)
      Object.assign(clock.memory, ratesOf(profile, sharing * coresOf(profile, core.part.core)));
  };
  const { meeting } = leftOut ?? {};
  runCores<number>(kernel, profile, [...clocks.keys()], {
    turn: (core, turn) => {
      const skipped = leftOut?.from(core, turn) ?? 0;
      begin(core, turn, skipped);
      return skipped;
    },
    ...(meeting && {
      meeting: {
        isAt: meeting.isAt,
        held: (standing, signals, isWhole) => {
          const skipped = meeting.held(standing, signals, isWhole);
          for (const [core, turn] of standing) begin(core, turn, skipped);
          return skipped;
        },
      },
    }),
    instruction: (core, it) => issue(core, of(core), it, run),
    signal: (core, { operation }) => seenOf(engineOf(of(core), operation.engine)),
    take: (core, { operation }, at) => hold(engineOf(of(core), operation.engine), Math.max(...at)),
  });
  leftOut?.settle();
}

function timingOf(
  profile: Profile,
  clocks: ReadonlyMap<Core, Clock>,
  { all, working }: Loads,
  traffic: Traffic,
  groups: number,
): Timing {
  const { busy, bytes, memoryBytes, macs, walked } = sumOf(clocks);
  const ofAll = new Map([...bytes].map(([path, of]) => [path, of * all]));
  const moved = traffic.bytes + memoryBytes * all;
  const cached = [...ofAll].reduce(
    (n, [path, of]) => (path.split(" ").includes(globalSpace) ? n + of : n),
    0,
  );
  const { memory } = profile;
  const ends = [...clocks.values()].flatMap(({ engines }) => [...engines.values()].map(seenOf));
  return {
    // Cores of one kind share the memory and its cache evenly; those of several kinds meet in them only here.
    cycles: Math.max(
      moved / (memoryBytesPerCycle(profile) * memory.sustained.value),
      cached / memory.l2BytesPerCycle.value,
      ...ends,
    ),
    busy,
    bytes: ofAll,
    memoryBytes: moved,
    macs: macs * all,
    working,
    balance: all / groups,
    walked,
  };
}
