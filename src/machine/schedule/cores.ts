/** The cores of a group on their way through a kernel, each until it awaits what another has not signalled yet. */
import { fail } from "../../support/diagnostics.ts";
import type { Profile } from "../profile.ts";
import type { Env } from "./expr.ts";
import type { Kernel } from "./kernel.ts";
import { environment, know, preparePart, type PreparedPart } from "./prepare.ts";
import { walk, type Instruction, type Turn, type Walk } from "./walk.ts";

/** One core: its kind, its number among those of the kind in the group, and what its names stand for. */
export type Core = { readonly part: PreparedPart; readonly index: number; readonly env: Env };

/** What to do on the way. `Token` is what a signal carries from the core that gives it to those that take it. */
export type Visitor<Token> = {
  /** Carry out an instruction; to a `read`, the number read. */
  readonly instruction: (core: Core, it: Instruction) => number | undefined;
  /** How many turns to leave out. */
  readonly turn: (core: Core, it: Turn) => number;
  readonly signal: (core: Core, it: Instruction) => Token;
  readonly take: (core: Core, it: Instruction, tokens: readonly Token[]) => void;
  /** Where the cores wait for one another; nowhere where it is absent. */
  readonly meeting?: Meeting<Token>;
};

/** Signals that were given and not taken, oldest first, by who gave them to whom. */
export type Signals<Token> = Map<string, Token[]>;

/** Cores that are not done stand still where they begin certain turns, until none of them can go on. */
export type Meeting<Token> = {
  readonly isAt: (core: Core, it: Turn) => boolean;
  /** Cores that stand before turns, all that are not done unless `isWhole` says otherwise: how many turns each leaves out. */
  readonly held: (standing: ReadonlyMap<Core, Turn>, signals: Signals<Token>, isWhole: boolean) => number;
};

/** How many cores of a kind a group has. */
export const coresOf = (profile: Profile, core: string): number =>
  profile.cores.find((it) => it.name === core)?.perGroup.value ?? 1;

/** The parts of a kernel, ready for any group. */
export const prepareParts = (kernel: Kernel, profile: Profile): readonly PreparedPart[] =>
  kernel.parts.map((part) => preparePart(kernel, part, profile));

/** How the cores of one kind begin. */
export type Beginning = {
  readonly part: PreparedPart;
  /** How many of them a group has. */
  readonly cores: number;
  /** Make an environment that in which one of them begins, whatever it was. */
  readonly enter: (env: Env, group: number, index: number) => Env;
};

/** How the cores of all kinds begin. */
export const beginnings = (
  parts: readonly PreparedPart[],
  profile: Profile,
  sizes: ReadonlyMap<string, number>,
): readonly Beginning[] =>
  parts.map((part) => {
    const cores = coresOf(profile, part.core);
    const known = [["groups", profile.groups.value], ["cores", cores]] as const; // prettier-ignore
    const start = environment(part, new Map([...sizes, ...known]));
    const enter = (env: Env, group: number, index: number): Env => {
      for (let slot = 0; slot < start.length; slot++) env[slot] = start[slot] ?? 0;
      know(part, env, "group", group);
      know(part, env, "core", index);
      return env;
    };
    return { part, cores, enter };
  });

/** The cores of a group at the beginning of a kernel. */
export const coresAt = (all: readonly Beginning[], group: number): readonly Core[] =>
  all.flatMap(({ part, cores, enter }) =>
    Array.from({ length: cores }, (_, index): Core => ({ part, index, env: enter([], group, index) })),
  );

/** The cores of one group at the beginning of a kernel. */
export const coresIn = (
  parts: readonly PreparedPart[],
  profile: Profile,
  sizes: ReadonlyMap<string, number>,
  group: number,
): readonly Core[] => coresAt(beginnings(parts, profile, sizes), group);

type Runner = {
  readonly core: Core;
  readonly steps: Walk;
  /** What it awaits, or the turn before which it waits for others. */
  waiting: Instruction | Turn | undefined;
  answer: number | undefined;
  done: boolean;
};

/** What signals with a number from one core to another are called. */
export const signalName = (from: string, index: number, to: string, toIndex: number, id: number): string =>
  `${from}.${index} ${to}.${toIndex} #${id}`;

/** Run the cores of a group to their end; gives the signals that nobody has taken. Throws `schedule/deadlock` where all that are left await. */
export function runCores<Token>(
  kernel: Kernel,
  profile: Profile,
  cores: readonly Core[],
  visitor: Visitor<Token>,
): readonly string[] {
  const signals: Signals<Token> = new Map();
  const give = (core: Core, it: Instruction): void => {
    const { stmt } = it.operation;
    if (stmt.kind !== "signal") return;
    const token = visitor.signal(core, it);
    for (let i = 0; i < coresOf(profile, stmt.core); i++) {
      const name = signalName(core.part.core, core.index, stmt.core, i, it.id);
      const given = signals.get(name);
      if (given) given.push(token);
      else signals.set(name, [token]);
    }
  };
  /** Take one signal from each core of the kind that is awaited, if all are there. */
  const take = (core: Core, it: Instruction): boolean => {
    const { stmt } = it.operation;
    if (stmt.kind !== "await") return true;
    const given = Array.from({ length: coresOf(profile, stmt.core) }, (_, i) =>
      signals.get(signalName(stmt.core, i, core.part.core, core.index, it.id)),
    );
    if (given.some((tokens) => !tokens || tokens.length === 0)) return false;
    visitor.take(core, it, given.flatMap((tokens) => tokens?.splice(0, 1) ?? [])); // prettier-ignore
    return true;
  };
  const { meeting } = visitor;
  const advance = (runner: Runner): boolean => {
    const { core, steps } = runner;
    if (runner.done || runner.waiting?.kind === "turn") return false;
    if (runner.waiting && !take(core, runner.waiting)) return false;
    runner.waiting = undefined;
    for (let { answer } = runner; ;) {
      runner.answer = undefined;
      const it = steps(answer);
      if (!it) {
        runner.done = true;
        return true;
      }
      answer = undefined;
      if (it.kind === "turn") {
        if (meeting?.isAt(core, it) === true) {
          runner.waiting = it;
          return true;
        }
        answer = visitor.turn(core, it);
      } else if (it.operation.stmt.kind === "signal") give(core, it);
      else if (it.operation.stmt.kind !== "await") answer = visitor.instruction(core, it);
      else if (!take(core, it)) {
        runner.waiting = it;
        return true;
      }
    }
  };
  const runners = cores.map((core): Runner => ({ core, steps: walk(core.part.body, core.env), waiting: undefined, answer: undefined, done: false })); // prettier-ignore
  /** Let those that wait for one another go on; whether there are any. */
  const release = (): boolean => {
    const standing = new Map(runners.flatMap(({ core, waiting: it }) => (it?.kind === "turn" ? [[core, it]] : []))); // prettier-ignore
    if (!meeting || standing.size === 0) return false;
    const isWhole = runners.every((it) => it.done || it.waiting?.kind === "turn");
    const answer = meeting.held(standing, signals, isWhole);
    for (const it of runners)
      if (it.waiting?.kind === "turn") Object.assign(it, { waiting: undefined, answer });
    return true;
  };
  while (runners.some((it) => !it.done)) {
    if (runners.map(advance).includes(true) || release()) continue;
    const stuck = runners.flatMap((it) => (it.waiting ? [`${it.core.part.core} ${it.core.index}`] : []));
    fail("schedule/deadlock", undefined, kernel.name, stuck);
  }
  return [...signals].flatMap(([name, tokens]) => (tokens.length > 0 ? [name] : []));
}
