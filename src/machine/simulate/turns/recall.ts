/**
 * Turns that begin as an earlier one of the same form began, and so do exactly what that one did. Since no engine is later for others being
 * earlier, two that begin so many cycles apart end no more cycles apart.
 */
import type { Core } from "../../schedule/cores.ts";
import type { Memory } from "../bandwidth.ts";
import { areAlike, beforesOf, bringTo, momentOf, ownRings, moversOf, scalarIn, scalarOf, type Befores, type Clocks, type Moment, type Own, type Mover, type View } from "./moment.ts"; // prettier-ignore
import { count, doneSince, snapshotOf, type Snapshot } from "./passed.ts";

/** A moment between turns, and the turns that were walked through from there on, by their forms. */
type Node = { readonly moment: Moment; readonly turns: Map<string, Step> };

/** A turn: where it leads to, how long it takes, and what of each core passes in it. */
export type Step = {
  readonly to: Node;
  readonly time: number;
  readonly of: ReadonlyMap<Core, Share>;
  readonly movers: ReadonlySet<Mover>;
};

/** What a core did, how far its scalar unit came, how often its loops have gone round, and how it fared with the memory. */
export type Share = {
  readonly done: Snapshot;
  readonly scalar: number;
  readonly rounds: readonly number[];
  readonly ahead: Ahead;
};

/** How far a core was ahead of the memory before a turn and behind it, and what `Memory` says of the turn. */
type Ahead = { readonly before: number; readonly behind: number; readonly inertia: number; readonly spare: number }; // prettier-ignore

/** Where cores are between turns: they stand as in a moment, at a time, but for what goes its own way; turns passed on the way there. */
type Stop = {
  readonly node: Node;
  readonly moment: Moment;
  readonly at: number;
  readonly own: ReadonlyMap<Core, Own>;
  readonly passed: Map<Step, number>;
};

/** A turn of a form that is walked through. */
type Way = {
  readonly from: Node;
  readonly at: number;
  readonly form: string;
  readonly befores: Befores;
  readonly of: ReadonlyMap<Core, Share>;
};

/** Of what a turn takes, the share by which moments may differ that count as one. */
const closeness = 1e-3;
/** Cycles that never matter. */
const exactness = 1e-3;

/** Cycles by which what a turn of some length begins with may differ. */
const toleranceOf = (time: number): number => Math.max(exactness, closeness * time);

/** Moments of one form that are kept in mind. */
const remembered = 64;

export type Recall = {
  /** Cores come to stand between turns: `isNext` says whether all have taken one turn since they left. Gives that turn. */
  readonly arrive: (view: View, isNext: boolean) => Step | undefined;
  /** Turns of these forms pass as far as they are known; gives them. */
  readonly pass: (forms: Iterable<string>) => readonly Step[];
  /** A turn is left out in which cores do so. */
  readonly slip: (of: ReadonlyMap<Core, Share>) => void;
  /** So many turns being left out, those that passed and others, cores go on through one of a form. */
  readonly leave: (view: View, turns: number, form: string | undefined) => void;
};

export function recalling(): Recall {
  const known = new Map<string, Node[]>();
  let way: Way | undefined;
  let here: Stop | undefined;
  const nodeAt = (moment: Moment, within: number): Node => {
    const alike = known.get(moment.form) ?? [];
    const found = alike.findLast((it) => areAlike(it.moment, moment, within));
    if (found) return found;
    const node = { moment, turns: new Map() };
    known.set(moment.form, [...alike, node].slice(-remembered));
    return node;
  };
  return {
    arrive: (view, isNext) => {
      const { clocks } = view;
      const moment = momentOf(view, way?.befores ?? new Map());
      const time = way ? moment.at - way.at : 0;
      const node = nodeAt(moment, toleranceOf(time));
      here = { node, moment, at: moment.at, own: ownOf(clocks), passed: new Map() };
      if (!way || !isNext) return undefined;
      const of = since(way.of, sharesOf(clocks));
      const movers = moversOf(view, way.befores, (core, turn) => roundsOf(core, of, turn));
      const step = { to: node, time, of, movers };
      way.from.turns.set(way.form, step);
      return step;
    },
    pass: (forms) => {
      const steps: Step[] = [];
      if (!here) return steps;
      for (const form of forms) {
        const step: Step | undefined = here.node.turns.get(form);
        const next: Stop | undefined = step && goOn(here, step);
        if (!step || !next) break;
        here = next;
        steps.push(step);
        here.passed.set(step, (here.passed.get(step) ?? 0) + 1);
      }
      return steps;
    },
    slip: (of) => {
      if (here) here = { ...here, own: slipped(here.own, of) };
    },
    leave: (view, turns, form) => {
      if (!here) return;
      const { clocks } = view;
      const { node, moment, at, own, passed } = here;
      for (const [step, times] of passed)
        for (const [core, share] of step.of) again(core, clocks, share, times);
      const movers = new Set([...ownRings(view), ...[...passed.keys()].flatMap((it) => [...it.movers])]);
      if (turns > 0) bringTo(moment, turns, at - moment.at, movers, own, view);
      for (const { memory } of clocks.values()) Object.assign(memory, { inertia: 1, spare: Infinity });
      if (form === undefined) way = undefined;
      else way = { from: node, at, form, befores: beforesOf(clocks, moment, at - moment.at), of: sharesOf(clocks) }; // prettier-ignore
    },
  };
}

/** Where a known turn leads to; undefined where it takes another time, as a scalar unit is in its way, or the memory was further ahead. */
function goOn({ at, own, passed }: Stop, { to, time, of }: Step): Stop | undefined {
  const moved = new Map<Core, Own>();
  for (const [core, share] of of) {
    const { scalar, ahead } = own.get(core) ?? nothing;
    const then = scalarIn(to.moment, core, scalar + share.scalar, at + time - to.moment.at);
    if (then === undefined || !isAsFast(ahead, share.ahead, toleranceOf(time))) return undefined;
    moved.set(core, { scalar: then, ahead: behind(ahead, share.ahead) });
  }
  return { node: to, moment: to.moment, at: at + time, own: moved, passed };
}

/** How far a core is ahead of the memory behind a turn that it began so far ahead. */
const behind = (ahead: number, { before, behind: then, inertia }: Ahead): number =>
  then + inertia * (ahead - before);

/** How far cores are ahead of the memory behind a turn. */
const slipped = (own: ReadonlyMap<Core, Own>, of: ReadonlyMap<Core, Share>): ReadonlyMap<Core, Own> =>
  new Map(
    [...own].map(([core, it]) => {
      const share = of.get(core);
      return [core, share ? { ...it, ahead: behind(it.ahead, share.ahead) } : it];
    }),
  );

const nothing: Own = { scalar: 0, ahead: 0 };

/** Whether copies go as they did in a turn: those that wait for the memory wait as long, and where none did, none does. */
const isAsFast = (ahead: number, { before, spare }: Ahead, within: number): boolean =>
  Math.abs(ahead - before) <= within || (spare >= 0 && ahead >= before - spare);

/** How often a loop of a core went round, by the slot that counts its turns. */
function roundsOf(core: Core, of: ReadonlyMap<Core, Share>, turn: number): number {
  const at = core.part.loops.findIndex((it) => it.turn === turn);
  return of.get(core)?.rounds[at] ?? 0;
}

const ownOf = (clocks: Clocks): ReadonlyMap<Core, Own> =>
  new Map([...clocks].map(([core, it]) => [core, { scalar: scalarOf(it), ahead: it.memory.ahead }]));

const aheadIn = ({ ahead, inertia, spare }: Memory): Ahead => ({
  before: ahead,
  behind: ahead,
  inertia,
  spare,
});

const sharesOf = (clocks: Clocks): ReadonlyMap<Core, Share> =>
  new Map(
    [...clocks].map(([core, clock]) => [
      core,
      {
        done: snapshotOf(clock),
        scalar: scalarOf(clock),
        rounds: core.part.loops.map((it) => core.env[it.turn] ?? 0),
        ahead: aheadIn(clock.memory),
      },
    ]),
  );

const since = (from: ReadonlyMap<Core, Share>, to: ReadonlyMap<Core, Share>): ReadonlyMap<Core, Share> =>
  new Map(
    [...to].flatMap(([core, now]) => {
      const then = from.get(core);
      if (!then) return [];
      const rounds = now.rounds.map((n, i) => n - (then.rounds[i] ?? 0));
      const ahead = { ...now.ahead, before: then.ahead.before };
      return [
        [core, { done: doneSince(then.done, now.done), scalar: now.scalar - then.scalar, rounds, ahead }],
      ];
    }),
  );

/** Let a core do so many times more what it did. Its outermost loops count their own turns. */
function again(core: Core, clocks: Clocks, { done, rounds }: Share, times: number): void {
  const clock = clocks.get(core);
  if (clock) count(clock, done, times);
  const { loops, body } = core.part;
  loops.forEach((it, i) => {
    if (!body.includes(it)) core.env[it.turn] = (core.env[it.turn] ?? 0) + times * (rounds[i] ?? 0);
  });
}
