/** Cores that go through their outermost turns together, or one that does so for itself. */
import type { Core, Meeting } from "../../schedule/cores.ts";
import type { Turn } from "../../schedule/walk.ts";
import type { Clock } from "../clock.ts";
import type { Form } from "./forms.ts";
import { keyOf } from "./itinerary.ts";
import type { Clocks } from "./moment.ts";
import { recalling, type Step } from "./recall.ts";
import type { Repeat } from "./repeat.ts";
import type { Ring } from "./rings.ts";

/** Turns of cores that go through them together, or of one by itself. */
export type Team = {
  /** How many turns are left out of cores that stand before these, of all that are not done where it `isWhole`. */
  readonly held: Meeting<number>["held"];
  /** In the end, lets the time pass that is still owed. */
  readonly settle: () => void;
};

/** The clock of a core. */
export function clockOf(clocks: Clocks, core: Core): Clock {
  const clock = clocks.get(core);
  if (!clock) throw new Error("a core has its clock");
  return clock;
}

/**
 * Cores whose turns are of these forms, one after the other. Turns that are known pass; so do those of which `repeat`, where it is there, knows how long
 * turns like them take.
 */
export function teamOf(
  cores: readonly Core[],
  clocks: Clocks,
  forms: ReadonlyMap<Core, readonly Form[]>,
  rings: readonly Ring[],
  repeat: Repeat | undefined,
): Team {
  const keys = new Map(cores.map((core) => [core, (forms.get(core) ?? []).map(keyOf)]));
  const recall = recalling();
  const positions = new Map<Core, Position>();
  let left: ReadonlyMap<Core, Turn> = new Map();
  const held: Team["held"] = (standing, signals, isWhole) => {
    const places = new Map([...standing].map(([core, turn]) => [core, placeIn(positions, core, turn)]));
    if (!isWhole) return 0;
    const place = commonOf(cores, places);
    const saw = (turn: number, step: Step): void => {
      if (place !== undefined) repeat?.saw(place + turn, step.time, step.of);
    };
    const here = new Map([...standing.keys()].map((core) => [core, clockOf(clocks, core)]));
    const view = { clocks: here, signals, rings, standing };
    const step = recall.arrive(view, isNext(left, standing));
    if (step) saw(-1, step);
    const most = Math.min(...[...standing.values()].map((it) => it.left));
    let n = 0;
    for (let isMore = true; isMore;) {
      for (const it of recall.pass(formsFrom(keys, places, n, most))) saw(n++, it);
      const guessed = place === undefined ? [] : (repeat?.pass(place + n) ?? []);
      for (const it of guessed) if (it) recall.slip(it);
      n += guessed.length;
      isMore = guessed.length > 0;
    }
    left = new Map([...standing].map(([core, turn]) => [core, { ...turn, left: turn.left - n }]));
    const [form] = formsFrom(keys, places, n, most);
    recall.leave(view, n, form);
    return n;
  };
  return { held, settle: () => repeat?.settle(new Map(cores.map((it) => [it, clockOf(clocks, it)]))) };
}

/** A core's counted loop: the first of all its counted turns that is of it, and the first that is not. */
type Position = { readonly first: number; readonly end: number };

/** The number of a turn among all that are counted of a core. */
function placeIn(positions: Map<Core, Position>, core: Core, { index, left }: Turn): number {
  const first = index === 0 ? (positions.get(core)?.end ?? 0) : (positions.get(core)?.first ?? 0);
  positions.set(core, { first, end: first + index + left });
  return first + index;
}

/** The number that the turns of all cores have; undefined where they are not the same. */
function commonOf(cores: readonly Core[], places: ReadonlyMap<Core, number>): number | undefined {
  const [common, other] = new Set(cores.map((it) => places.get(it)));
  return other === undefined ? common : undefined;
}

/** Whether all cores have taken one turn of a loop since. */
const isNext = (before: ReadonlyMap<Core, Turn>, now: ReadonlyMap<Core, Turn>): boolean =>
  before.size === now.size &&
  [...now].every(([core, { loop, left }]) => {
    const it = before.get(core);
    return it?.loop === loop && it.left === left + 1;
  });

/** The forms of the turns that cores come to, of all together, from the n-th on. */
function* formsFrom(
  keys: ReadonlyMap<Core, readonly string[]>,
  places: ReadonlyMap<Core, number>,
  from: number,
  most: number,
): Generator<string> {
  for (let n = from; n < most; n++) {
    const forms = [...places].map(([core, at]) => keys.get(core)?.[at + n]);
    if (forms.includes(undefined)) return;
    yield forms.join("|");
  }
}
