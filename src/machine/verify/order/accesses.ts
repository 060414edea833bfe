/** Who has touched which box of which buffer or tensor, so far as later accesses must be held against it. */
import type { Core } from "../../schedule/cores.ts";
import type { Instruction, Place } from "../../schedule/walk.ts";
import { overlap, within, type Extent } from "../boxes.ts";
import type { Lanes } from "./lanes.ts";

/** One access that later ones must be held against. */
export type Access = Extent & {
  readonly lane: number;
  readonly time: number;
  readonly writes: boolean;
  readonly it: Instruction;
};

/** The accesses of one engine to one copy of a buffer, or to one tensor; where they are many, a box around them. */
type Track = { readonly lane: number; readonly entries: Access[]; around: Extent | undefined };

/** Accesses that are held against another sooner one by one than by the box around them. */
const few = 16;

/** The accesses to one copy of a buffer, or to one tensor, engine by engine. */
type Log = Track[];

/** The log of what a place is of: each core has its own buffers, and all share tensors. */
export type Logs = (core: Core, place: Place) => Log;

/** Logs in which nothing was touched. */
export function emptyLogs(): Logs {
  const tensors = new Map<string, Log>();
  const buffers = new Map<Core, Log[][]>();
  const tensor = (name: string): Log => {
    const log = tensors.get(name) ?? [];
    tensors.set(name, log);
    return log;
  };
  return (core, { box, copy }) => {
    if (box.kind === "tensor") return tensor(box.decl.name);
    const own = buffers.get(core) ?? [];
    buffers.set(core, own);
    const copies = (own[box.index] ??= []);
    return (copies[copy] ??= []);
  };
}

/** What an access finds when it is held against those before: the first that nothing orders before it, and whether anything was written where it reads. */
export type Found = { readonly unordered: Access | undefined; readonly isWritten: boolean };

/** Add an access to a log. */
export function record(log: Log, own: Access, lanes: Lanes): Found {
  const clock = lanes.clockOf(own.lane);
  let unordered: Access | undefined;
  let isWritten = false;
  let track: Track | undefined;
  for (const it of log) {
    if (it.lane === own.lane) track = it;
    if (it.around && !overlap(it.around, own)) continue;
    let kept = 0;
    for (const old of it.entries) {
      if (overlap(old, own)) {
        isWritten ||= old.writes;
        const isBefore = old.lane === own.lane || (clock[old.lane] ?? 0) >= old.time;
        if (!isBefore && (own.writes || old.writes)) unordered ??= old;
        // What a later access stands for need not be remembered.
        if (isBefore && (own.writes || (!old.writes && old.lane === own.lane)) && within(old, own)) continue;
      }
      it.entries[kept++] = old;
    }
    it.entries.length = kept;
  }
  if (!track) log.push((track = { lane: own.lane, entries: [], around: undefined }));
  track.entries.push(own);
  track.around = track.entries.length < few ? undefined : track.around ? around(track.around, own) : track.entries.reduce<Extent>(around, own); // prettier-ignore
  return { unordered, isWritten };
}

/** A box around two. */
function around(a: Extent, b: Extent): Extent {
  const at = a.at.map((from, i) => Math.min(from, b.at[i] ?? 0));
  const end = (of: Extent, i: number): number => (of.at[i] ?? 0) + (of.size[i] ?? 0);
  return { at, size: at.map((from, i) => Math.max(end(a, i), end(b, i)) - from) };
}
