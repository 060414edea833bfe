/**
 * How far signals between cores can run ahead of those who await them. A signal counts a flag up and an await counts it down; a counter has an end
 * (hardware: 15 on Ascend), and what is signalled beyond it is lost.
 */
import { coresOf, type Core } from "../../schedule/cores.ts";
import type { Profile } from "../../profile.ts";
import type { Loop } from "../../schedule/prepare.ts";
import type { Instruction, Turn } from "../../schedule/walk.ts";
import type { Lanes } from "./lanes.ts";

/** Signals of one number from one core to another. */
type Channel = {
  given: number;
  /** Awaits that have taken one, and how many of them the giver's engine is known to be behind. */
  readonly taken: { readonly lane: number; readonly time: number }[];
  known: number;
};

export type SignalCounts = {
  /** A signal is given: how many may then be waiting to be taken. */
  readonly give: (core: Core, it: Instruction) => number;
  readonly take: (core: Core, it: Instruction) => void;
  /** Turns of a loop are left out: how many signals may be waiting at their end. */
  readonly leaveOut: (core: Core, turn: Turn, period: number, turns: number) => number;
};

/** Counters none of which has counted. */
export function signalCounts(profile: Profile, lanes: Lanes): SignalCounts {
  const channels = new Map<string, Channel>();
  const byGiver = new Map<Core, Set<Channel>>();
  const history = new Map<Core, Map<Loop, Map<Channel, number>[]>>();
  const channel = (from: string, to: string, id: number): Channel => {
    const name = `${from} ${to} ${id}`;
    const known = channels.get(name) ?? { given: 0, taken: [], known: 0 };
    channels.set(name, known);
    return known;
  };
  const nameOf = (kind: string, index: number): string => `${kind}.${index}`;
  const pending = (of: Channel): number => of.given - of.known;
  return {
    give: (core, it) => {
      const { stmt, engine } = it.operation;
      if (stmt.kind !== "signal") return 0;
      const clock = lanes.clockOf(lanes.laneOf(core, engine));
      const own = byGiver.get(core) ?? new Set<Channel>();
      byGiver.set(core, own);
      let most = 0;
      for (let i = 0; i < coresOf(profile, stmt.core); i++) {
        const of = channel(nameOf(core.part.core, core.index), nameOf(stmt.core, i), it.id);
        own.add(of);
        of.given++;
        for (let next = of.taken[of.known]; next; next = of.taken[of.known]) {
          if ((clock[next.lane] ?? 0) < next.time) break;
          of.known++;
        }
        most = Math.max(most, pending(of));
      }
      return most;
    },
    take: (core, it) => {
      const { stmt, engine } = it.operation;
      if (stmt.kind !== "await") return;
      const lane = lanes.laneOf(core, engine);
      const time = lanes.tick(lane);
      for (let i = 0; i < coresOf(profile, stmt.core); i++)
        channel(nameOf(stmt.core, i), nameOf(core.part.core, core.index), it.id).taken.push({ lane, time });
    },
    leaveOut: (core, { loop, index }, period, turns) => {
      const own = byGiver.get(core);
      if (!own) return 0;
      const loops = history.get(core) ?? new Map<Loop, Map<Channel, number>[]>();
      history.set(core, loops);
      const past = index === 0 ? [] : (loops.get(loop) ?? []);
      loops.set(loop, past);
      past[index] = new Map([...own].map((it) => [it, pending(it)]));
      if (turns === 0) return 0;
      const before = past[index - period];
      return Math.max(
        ...[...own].map((it) => pending(it) + ((pending(it) - (before?.get(it) ?? 0)) * turns) / period),
      );
    },
  };
}
