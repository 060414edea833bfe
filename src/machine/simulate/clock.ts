/** How far the cores of a group have come, and what they have done on the way. */
import { coresOf, type Core } from "../schedule/cores.ts";
import type { Profile } from "../profile.ts";
import { shareOf, type Memory } from "./bandwidth.ts";

/** One engine: when it can begin its next instruction, when all it was given is done, and when what it stored is seen by others. */
export type Engine = { ready: number; done: number; seen: number };

/** One core. */
export type Clock = {
  readonly engines: Map<string, Engine>;
  /** When flags that were set and not waited for were set. */
  readonly flags: Map<string, number[]>;
  readonly memory: Memory;
  readonly totals: Totals;
  /** The turn it is in, those of all outermost loops counted. */
  round: number;
};

export type Totals = {
  /** Cycles that each engine works. */
  readonly busy: Map<string, number>;
  readonly bytes: Map<string, number>;
  /** Written, and read outside of all loops. */
  memoryBytes: number;
  macs: number;
  walked: number;
};

const nothing = (): Totals => ({ busy: new Map(), bytes: new Map(), memoryBytes: 0, macs: 0, walked: 0 });

/** When an instruction's engine can begin the next, when it is done itself, and when what it stored is seen, where that is later. */
export type Finish = { readonly next: number; readonly end: number; readonly seen?: number };

export const both = (end: number): Finish => ({ next: end, end });

/** The clock of a core at the beginning, where so many groups share the memory. */
export const clockFor = (profile: Profile, { part }: Core, groups: number): Clock => ({
  engines: new Map(),
  flags: new Map(),
  memory: shareOf(profile, groups * coresOf(profile, part.core)),
  totals: nothing(),
  round: -1,
});

export function engineOf({ engines }: Clock, name: string): Engine {
  let engine = engines.get(name);
  if (!engine) engines.set(name, (engine = { ready: 0, done: 0, seen: 0 }));
  return engine;
}

/** When all that an engine did is seen by others. */
export const seenOf = ({ done, seen }: Engine): number => Math.max(done, seen);

export function hold(engine: Engine, until: number): void {
  engine.ready = Math.max(engine.ready, until);
}

export const add = (to: Map<string, number>, key: string, by: number): void =>
  void to.set(key, (to.get(key) ?? 0) + by);

/** What all cores did; how busy engines were, by `core.engine`. */
export function sumOf(clocks: ReadonlyMap<Core, Clock>): Totals {
  const sum = nothing();
  for (const [{ part }, { totals }] of clocks) {
    for (const [engine, value] of totals.busy) add(sum.busy, `${part.core}.${engine}`, value);
    for (const [path, value] of totals.bytes) add(sum.bytes, path, value);
    sum.memoryBytes += totals.memoryBytes;
    sum.macs += totals.macs;
    sum.walked += totals.walked;
  }
  return sum;
}
