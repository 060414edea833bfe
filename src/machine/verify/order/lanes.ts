/**
 * Vector clocks of the engines of some cores (Fidge 1988, Mattern 1989): each engine is a lane, its own instructions follow one another, and what
 * it waits for joins its clock.
 */
import type { Profile } from "../../profile.ts";
import type { Core } from "../../schedule/cores.ts";

export type Clock = Int32Array;

export type Lanes = {
  readonly laneOf: (core: Core, engine: string) => number;
  readonly ownerOf: (lane: number) => Core | undefined;
  readonly clockOf: (lane: number) => Clock;
  /** An instruction more; gives its time. */
  readonly tick: (lane: number) => number;
  /** A lane's clock as it stands now, to be joined later. */
  readonly stamp: (lane: number) => Clock;
  readonly join: (lane: number, other: Clock) => void;
};

/** The engines of some cores, none of which knows of another yet. */
export function lanesOf(cores: readonly Core[], { engines }: Profile): Lanes {
  const owners: Core[] = [];
  const lanes = new Map(
    cores.map((core) => {
      const own = engines.filter((it) => it.core === core.part.core);
      return [core, new Map(own.map(({ name }) => [name, owners.push(core) - 1]))] as const;
    }),
  );
  const clocks = owners.map(() => new Int32Array(owners.length));
  const none = new Int32Array(owners.length);
  const clockOf = (lane: number): Clock => clocks[lane] ?? none;
  return {
    laneOf: (core, engine) => lanes.get(core)?.get(engine) ?? 0,
    ownerOf: (lane) => owners[lane],
    clockOf,
    tick: (lane) => {
      const clock = clockOf(lane);
      return (clock[lane] = (clock[lane] ?? 0) + 1);
    },
    stamp: (lane) => clockOf(lane).slice(),
    join: (lane, other) => {
      const own = clockOf(lane);
      for (let i = 0; i < own.length; i++) own[i] = Math.max(own[i] ?? 0, other[i] ?? 0);
    },
  };
}
