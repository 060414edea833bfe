/** How much of its loops a kernel must be followed through: their first turns and their last ones, as what takes turns has come round by then. */
import type { Core } from "../../schedule/cores.ts";
import { constantOf, namesOf, type Expr } from "../../schedule/expr.ts";
import { regionsOf, statements, type Kernel, type Stmt } from "../../schedule/kernel.ts";
import { lcm, type Loop, type Operation, type Prepared, type PreparedPart } from "../../schedule/prepare.ts";
import type { Turn } from "../../schedule/walk.ts";
import { operations } from "../operations.ts";

/** Turns of a loop that are followed at its beginning, and at its end. */
const followed = 5;

/** After how many turns a loop comes back to places that it takes in turn: n of each `i mod n` by its own counter, offset or not, and by all groups' turns or its own. */
function placesInTurn(kernel: Kernel): readonly number[] {
  const moduli = (e: Expr, counter: string): readonly number[] => {
    if (e.kind !== "binary") return [];
    const n = constantOf(e.right);
    const names = namesOf(e.left).filter((it) => it !== "groups");
    const own = e.op === "mod" && n !== undefined && names.join() === counter ? [n] : [];
    return [...own, ...moduli(e.left, counter), ...moduli(e.right, counter)];
  };
  return kernel.parts.flatMap(({ body }) => {
    const all = statements(body);
    const placing = placingNames(kernel, all);
    return all.flatMap((loop) =>
      loop.kind === "for"
        ? loop.body.flatMap((it) =>
            it.kind === "let" && placing.has(it.name) ? moduli(it.value, loop.name) : [],
          )
        : [],
    );
  });
}

/** The names that say where in buffers and scratch something lies. Where it lies in other tensors, nothing comes back to. */
function placingNames({ tensors }: Kernel, all: readonly Stmt[]): ReadonlySet<string> {
  const outer = new Set(tensors.filter((it) => it.role !== "shared").map((it) => it.name));
  const inner = all.flatMap(regionsOf).filter((it) => !outer.has(it.of));
  const placing = new Set(inner.flatMap((it) => it.at.flatMap(namesOf)));
  for (const it of all.toReversed())
    if (it.kind === "let" && placing.has(it.name)) namesOf(it.value).forEach((of) => placing.add(of));
  return placing;
}

/** Turns by which one core may get ahead of another before it is held back: the most signals of one number that are given before all loops. */
function leadOf({ parts }: Kernel): number {
  const given = parts.flatMap(({ core, body }) =>
    body.flatMap((it) => (it.kind === "signal" ? [`${core} ${it.core} ${it.id}`] : [])),
  );
  return Math.max(0, ...[...Map.groupBy(given, (it) => it).values()].map((it) => it.length));
}

/** Turns that are left out of a loop as a turn begins. */
export type LeftOut = {
  readonly turns: number;
  /** After how many of its turns a loop is where it was. */
  readonly period: number;
  /** Whether what is left out signals to other cores, or awaits them. */
  readonly isSignalled: boolean;
};

/**
 * What to leave out of the loops of a kernel on the way of one group: turns between the first few and the last few, so many that buffers stand as if they
 * had been taken.
 */
export function leavingOut(
  kernel: Kernel,
  parts: readonly PreparedPart[],
): (core: Core, turn: Turn) => LeftOut {
  const signalled = new Map(parts.flatMap((it) => pathsOf(it.body)));
  const places = placesInTurn(kernel).reduce(lcm, 1);
  // Loops that signal to one another leave out the same turns, after which what they share lies where it did.
  const common = [...signalled.keys()].map((it) => it.period).reduce(lcm, places);
  const lead = leadOf(kernel);
  const agreed = agreement();
  const periodOf = (loop: Loop): number =>
    parts.length === 1 ? loop.period : signalled.has(loop) ? common : lcm(loop.period, places);
  return (core, { loop, index, left }) => {
    const period = periodOf(loop);
    const path = signalled.get(loop);
    const run = path === undefined ? undefined : `${path} ${agreed.run(core, loop, index)}`;
    const isDue = index === Math.max(followed + lead, 2 * period + 1);
    const own = isDue ? Math.floor(Math.max(0, left - followed) / period) * period : 0;
    const turns = isDue && run !== undefined ? Math.min(left, agreed.turns(run, own, period)) : own;
    return { turns, period, isSignalled: path !== undefined };
  };
}

/** Loops of a body that signal to other cores or await them, and where each stands among those: loops that answer one another stand alike. */
function pathsOf(body: readonly Prepared[], path = ""): readonly (readonly [Loop, string])[] {
  const loops = loopsOf(body).filter((it) => operations(it.body).some(isSignal));
  return loops.flatMap((it, i) => [[it, `${path}.${i}`] as const, ...pathsOf(it.body, `${path}.${i}`)]);
}

/** The outermost loops of a body. */
const loopsOf = (body: readonly Prepared[]): readonly Loop[] =>
  body.flatMap((it) => (it.kind === "loop" ? [it] : it.kind === "if" ? loopsOf(it.body) : []));

const isSignal = ({ stmt }: Operation): boolean => stmt.kind === "signal" || stmt.kind === "await";

/** How many turns cores leave out of loops that answer one another: as many as the first of them, where one has a turn or so more than another. */
function agreement() {
  const runs = new Map<Core, Map<Loop, number>>();
  const turns = new Map<string, number>();
  return {
    /** Which run of a core's loop it is that has come to a turn. */
    run: (core: Core, loop: Loop, index: number): number => {
      const own = runs.get(core) ?? new Map<Loop, number>();
      runs.set(core, own);
      const run = (own.get(loop) ?? 0) + (index === 0 ? 1 : 0);
      own.set(loop, run);
      return run;
    },
    turns: (run: string, wanted: number, period: number): number => {
      const known = turns.get(run) ?? wanted;
      turns.set(run, known);
      return Math.abs(known - wanted) <= period ? known : wanted;
    },
  };
}
