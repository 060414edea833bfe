/** Who has touched which box of which buffer or tensor, so far as later accesses must be held against it. */
import type { Core } from "../schedule/cores.ts";
import type { Instruction, Place } from "../schedule/walk.ts";
import { overlap, within, type Extent } from "./boxes.ts";
import type { Lanes } from "./lanes.ts";

/** One access that later ones must be held against. */
export type Access = Extent & {
  readonly lane: number;
  readonly time: number;
  readonly writes: boolean;
  readonly adds: boolean;
  readonly it: Instruction;
};

/** The accesses of one copy of a buffer, or of one tensor. */
type Log = { entries: readonly Access[] };

/** The log of what a place is of: each core has its own buffers, and all share tensors. */
export type Logs = (core: Core, place: Place) => Log;

/** Logs in which nothing was touched. */
export function emptyLogs(): Logs {
  const tensors = new Map<string, Log>();
  const buffers = new Map<Core, Log[][]>();
  const tensor = (name: string): Log => {
    const log = tensors.get(name) ?? { entries: [] };
    tensors.set(name, log);
    return log;
  };
  return (core, { box, copy }) => {
    if (box.kind === "tensor") return tensor(box.decl.name);
    const own = buffers.get(core) ?? [];
    buffers.set(core, own);
    const copies = (own[box.index] ??= []);
    return (copies[copy] ??= { entries: [] });
  };
}

/** What an access finds when it is held against those before: the first that nothing orders before it, and whether anything was written where it reads. */
export type Found = { readonly unordered: Access | undefined; readonly isWritten: boolean };

/** Add an access to a log. */
export function record(log: Log, own: Access, lanes: Lanes): Found {
  const clock = lanes.clockOf(own.lane);
  const kept: Access[] = [];
  let unordered: Access | undefined;
  let isWritten = false;
  for (const old of log.entries) {
    if (!overlap(old, own)) {
      kept.push(old);
      continue;
    }
    isWritten ||= old.writes;
    const isBefore = old.lane === own.lane || (clock[old.lane] ?? 0) >= old.time;
    if (!isBefore && (own.writes || old.writes)) unordered ??= old;
    // What a later access stands for need not be remembered.
    if (isBefore && (own.writes || (!old.writes && old.lane === own.lane)) && within(old, own)) continue;
    kept.push(old);
  }
  kept.push(own);
  log.entries = kept;
  return { unordered, isWritten };
}
