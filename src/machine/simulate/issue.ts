/** One instruction after the other, given to its engine. */
import { fail } from "../../support/diagnostics.ts";
import { scalarEngine, type Profile } from "../profile.ts";
import type { Core } from "../schedule/cores.ts";
import type { Loop, Operation } from "../schedule/prepare.ts";
import type { Instruction } from "../schedule/walk.ts";
import { add, both, engineOf, hold, type Clock, type Finish } from "./clock.ts";
import { matrixCycles, vectorCycles } from "./cost.ts";
import { answerOf, type Reader } from "./reader.ts";
import type { Traffic } from "./reads/traffic.ts";
import { transferred } from "./transfer.ts";

/** One instruction's time, for traces. */
export type Slice = {
  readonly core: string;
  readonly index: number;
  readonly engine: string;
  readonly start: number;
  readonly end: number;
  readonly instruction: Instruction;
};

/** What all instructions of a kernel are timed with. */
export type Run = {
  readonly profile: Profile;
  readonly traffic: Traffic;
  /** Of copies from memory, the loops around them that come back to what they read. */
  readonly again: ReadonlyMap<Operation, readonly Loop[]>;
  /** Of copies from memory in loops, the names under which the traffic counts them. */
  readonly counted: ReadonlyMap<Operation, string>;
  /** Of copies outside of loops that read the same for all cores, the share that misses. */
  readonly alike: ReadonlyMap<Operation, number>;
  readonly reader: Reader;
  readonly onSlice: ((slice: Slice) => void) | undefined;
};

/** Give an instruction to its engine. Gives the number that a `read` finds. */
export function issue(core: Core, clock: Clock, it: Instruction, run: Run): number | undefined {
  const { stmt, engine: name, names } = it.operation;
  const engine = engineOf(clock, name);
  clock.totals.walked++;
  if (stmt.kind === "set") {
    flagOf(clock, names[it.id - stmt.id]).push(Math.max(engine.done, engine.ready));
    return undefined;
  }
  if (stmt.kind === "wait") {
    const set = flagOf(clock, names[it.id - stmt.id]).shift();
    hold(engine, set ?? fail("schedule/never-set", undefined, core.part.core, stmt.from, stmt.to, it.id));
    return undefined;
  }
  // The scalar unit hands out the instructions, and none before it has read what stands above it in the text.
  const start = Math.max(engine.ready, engineOf(clock, scalarEngine).done);
  const { next, end, seen = end } = finish(core, clock, it, start, run);
  engine.ready = next;
  engine.done = Math.max(engine.done, end);
  if (seen > end) engine.seen = Math.max(engine.seen, seen);
  if (core.index === 0) add(clock.totals.busy, name, next - start);
  run.onSlice?.({ core: core.part.core, index: core.index, engine: name, start, end, instruction: it });
  return answerOf(run.reader, it);
}

/** When a flag was set, each time that was not waited for yet. */
function flagOf({ flags }: Clock, name = ""): number[] {
  let set = flags.get(name);
  if (!set) flags.set(name, (set = []));
  return set;
}

/** Cycles that the scalar unit takes to read a number of global memory, or of a buffer. */
const scalarRead = { tensor: 300, buffer: 32 } as const;

function finish(core: Core, clock: Clock, it: Instruction, start: number, run: Run): Finish {
  switch (it.operation.stmt.kind) {
    case "matmul": {
      const { macs, cycles } = matrixCycles(it, run.profile);
      clock.totals.macs += macs;
      return both(start + cycles);
    }
    case "vector":
      return both(start + vectorCycles(it, run.profile));
    case "read":
      return both(start + scalarRead[it.places[0]?.box.kind ?? "tensor"]);
    default:
      return transferred(core, clock, it, start, run);
  }
}
