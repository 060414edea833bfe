/** How cores stand to one another before they begin a turn. */
import { scalarEngine } from "../../profile.ts";
import type { Core, Signals } from "../../schedule/cores.ts";
import type { Turn } from "../../schedule/walk.ts";
import type { Memory } from "../bandwidth.ts";
import type { Clock, Engine } from "../clock.ts";
import { setTimes, timesIn, type Ring } from "./rings.ts";

export type Clocks = ReadonlyMap<Core, Clock>;

/** One core as it stood. */
type Stand = {
  readonly engines: ReadonlyMap<string, Engine>;
  readonly memory: Memory;
  /** The earliest that any of its engines can begin: what lies further back matters no more. */
  readonly floor: number;
};

export type Moment = {
  /** When the last engine of all can begin anew. */
  readonly at: number;
  readonly stands: ReadonlyMap<Core, Stand>;
  /** When flags and signals were set that are not taken yet, ring by ring. */
  readonly set: readonly (readonly (readonly number[])[])[];
  /** What there is besides times: moments of different forms are never alike. */
  readonly form: string;
  /** All that matters to what follows, in a fixed order: times from `at` on. */
  readonly times: readonly number[];
};

/** What cores are told apart by. */
export type View = {
  readonly clocks: Clocks;
  readonly signals: Signals<number>;
  readonly rings: readonly Ring[];
  /** The turns that cores stand before. */
  readonly standing: ReadonlyMap<Core, Turn>;
};

/** A core as it was when it began a turn. */
export type Before = {
  readonly engines: ReadonlyMap<string, Engine>;
  readonly floor: number;
  /** Of its memory: anew with each copy. */
  readonly gaps: Memory["gaps"];
};
export type Befores = ReadonlyMap<Core, Before>;

/** How cores stand now, and stood a turn ago. */
export function momentOf({ clocks, signals, rings }: View, befores: Befores): Moment {
  const stands = new Map<Core, Stand>();
  let at = 0;
  for (const [core, { engines, memory }] of clocks) {
    for (const [name, { ready }] of engines) if (name !== scalarEngine) at = Math.max(at, ready);
    stands.set(core, {
      engines: new Map([...engines].map(([name, it]) => [name, { ...it }])),
      memory: { ...memory },
      floor: floorOf(engines, befores.get(core)),
    });
  }
  const set = rings.map((it) => timesIn(it, clocks, signals));
  return { at, stands, set, ...lookOf(at, stands, rings, set) };
}

/** Of the engines that had work since, when the first can begin anew. The scalar unit runs ahead of all others. */
function floorOf(engines: Clock["engines"], before: Before | undefined): number {
  let least = Infinity;
  for (const [name, { ready }] of engines)
    if (name !== scalarEngine && ready !== (before?.engines.get(name)?.ready ?? 0))
      least = Math.min(least, ready);
  return least < Infinity ? least : (before?.floor ?? 0);
}

function lookOf(
  at: number,
  stands: Moment["stands"],
  rings: readonly Ring[],
  set: Moment["set"],
): Pick<Moment, "form" | "times"> {
  const form: number[] = [];
  const times: number[] = [];
  let first = Infinity;
  for (const { engines, memory, floor } of stands.values()) {
    const add = (time: number): number => times.push(Math.max(time, floor) - at);
    for (const it of engines.values()) [it.ready, it.done, it.seen].forEach(add);
    const gaps = memory.gaps.filter((it) => it.to > floor);
    [memory.free, ...gaps.flatMap(({ from, to }) => [from, to])].forEach(add);
    form.push(engines.size, gaps.length);
    first = Math.min(first, floor);
  }
  rings.forEach(({ kind, core }, i) => {
    const floor = kind === "signals" ? first : (stands.get(core)?.floor ?? first);
    for (const of of set[i] ?? []) {
      form.push(of.length);
      for (const it of of) times.push(Math.max(it, floor) - at);
    }
  });
  return { form: form.join(" "), times };
}

/** Whether all times of two moments of one form are within so many cycles of one another. */
export function areAlike(a: Moment, b: Moment, within: number): boolean {
  for (let i = 0; i < a.times.length; i++)
    if (Math.abs((a.times[i] ?? 0) - (b.times[i] ?? 0)) > within) return false;
  return true;
}

/** How cores are, the floors being those of a moment, `by` cycles later. */
export const beforesOf = (clocks: Clocks, { stands }: Moment, by: number): Befores =>
  new Map(
    [...clocks].map(([core, { engines, memory }]) => [
      core,
      {
        engines: new Map([...engines].map(([name, it]) => [name, { ...it }])),
        floor: (stands.get(core)?.floor ?? 0) + by,
        gaps: memory.gaps,
      },
    ]),
  );

/** What moves in a turn: engines, memories, and rings. All else stays where it stood. */
export type Mover = Engine | Memory | Ring;

/** What has moved in a turn that cores began so; `rounds` says how often each loop of a core has gone round in it. */
export function moversOf(
  view: View,
  befores: Befores,
  rounds: (core: Core, turn: number) => number,
): ReadonlySet<Mover> {
  const { clocks, rings } = view;
  const movers = new Set<Mover>();
  for (const [core, { engines, memory }] of clocks) {
    const before = befores.get(core);
    if (memory.gaps !== before?.gaps) movers.add(memory);
    for (const [name, it] of engines) {
      const was = before?.engines.get(name);
      if (it.ready !== was?.ready || it.done !== was.done || it.seen !== was.seen) movers.add(it);
    }
  }
  const isUsed = ({ core, loops }: Ring): boolean => [...loops].some((it) => rounds(core, it) > 0);
  for (const it of rings) if (isOwn(view, it) || isUsed(it)) movers.add(it);
  return movers;
}

const isOwn = ({ standing }: View, { core, turn }: Ring): boolean => standing.get(core)?.loop.turn === turn;

/** The rings of the very loops before whose turns cores stand. */
export const ownRings = (view: View): readonly Ring[] => view.rings.filter((it) => isOwn(view, it));

/** What of a core goes its own way, whatever engines do: when its scalar unit is done, and how far it is ahead of the memory. */
export type Own = { readonly scalar: number; readonly ahead: number };

/** When the scalar unit of a core is done with what it was given. */
export const scalarOf = ({ engines }: { readonly engines: ReadonlyMap<string, Engine> }): number =>
  engines.get(scalarEngine)?.done ?? 0;

/**
 * Where a core's scalar unit comes to that went so many cycles on by itself, where it stands so in a moment `by` cycles later: behind all engines it goes its own
 * way. Undefined where it has caught up with them, and they would wait for it.
 */
export function scalarIn({ stands }: Moment, core: Core, own: number, by: number): number | undefined {
  const stand = stands.get(core);
  if (!stand) return own;
  const there = scalarOf(stand);
  if (there > stand.floor) return there + by;
  return own <= stand.floor + by ? own : undefined;
}

/** Bring to where they stand in a moment, so many turns and `by` cycles later, what moves in these turns; `own` is where they are by themselves. */
export function bringTo(
  { stands, set }: Moment,
  turns: number,
  by: number,
  movers: ReadonlySet<Mover>,
  own: ReadonlyMap<Core, Own>,
  view: View,
): void {
  const { clocks, signals, rings } = view;
  for (const [core, { engines, memory }] of clocks) {
    const stand = stands.get(core);
    for (const [name, it] of engines) {
      const then = stand?.engines.get(name);
      if (then && movers.has(it)) Object.assign(it, { ready: then.ready + by, done: then.done + by, seen: then.seen + by }); // prettier-ignore
    }
    const { scalar = 0, ahead = 0 } = own.get(core) ?? {};
    Object.assign(engines.get(scalarEngine) ?? {}, { ready: scalar, done: scalar });
    memory.ahead = ahead;
    if (!stand || !movers.has(memory)) continue;
    const { free, gaps } = stand.memory;
    const later = gaps.map(({ from, to }) => ({ from: from + by, to: to + by }));
    Object.assign(memory, { free: free + by, gaps: later });
  }
  rings.forEach((ring, i) => {
    if (!movers.has(ring)) return;
    const later = set[i]?.map((of) => of.map((it) => it + by)) ?? [];
    // The loop that these turns are of counts them itself.
    setTimes(ring, isOwn(view, ring) ? turns : 0, later, clocks, signals);
  });
}
