/**
 * Kernels carried out with one engine as late as it can be: it goes a step only where nothing else can. An engine that may get ahead of it by so much that
 * it sets a flag anew before the last set was waited for then does. Knows nothing of the verifier's clocks.
 */
import { coresIn, prepareParts, runCores, type Core } from "../../../src/machine/schedule/cores.ts";
import { numbersRead } from "../../../src/machine/verify/numbers-read.ts";
import type { Kernel } from "../../../src/machine/schedule/kernel.ts";
import type { Profile } from "../../../src/machine/profile.ts";
import type { Instruction } from "../../../src/machine/schedule/walk.ts";
import type { Trial } from "../../../src/machine/verify/verify.ts";

/** What cores tell one another by, and whether that has been given. */
type Token = { isGiven: boolean };

type Step =
  | { readonly kind: "set" | "wait"; readonly flag: string }
  | { readonly kind: "signal" | "await"; readonly tokens: readonly Token[] };

/** What each engine of each core of the first group does with flags and signals, in its order. */
function stepsOf(kernel: Kernel, profile: Profile, { sizes, reader }: Trial): readonly (readonly Step[])[] {
  const cores = coresIn(prepareParts(kernel, profile), profile, sizes, 0);
  const numbers = numbersRead(reader?.(sizes) ?? (() => 0));
  const steps = new Map<string, Step[]>();
  const nameOf = (core: Core): string => `${core.part.core}.${core.index}`;
  const add = (core: Core, it: Instruction, step: Step): void => {
    const engine = `${nameOf(core)} ${it.operation.engine}`;
    const own = steps.get(engine);
    if (own) own.push(step);
    else steps.set(engine, [step]);
  };
  runCores<Token>(kernel, profile, cores, {
    turn: () => 0,
    signal: (core, it) => {
      const token = { isGiven: false };
      add(core, it, { kind: "signal", tokens: [token] });
      return token;
    },
    take: (core, it, tokens) => add(core, it, { kind: "await", tokens }),
    instruction: (core, it) => {
      const { stmt, names } = it.operation;
      if (stmt.kind === "set" || stmt.kind === "wait")
        add(core, it, { kind: stmt.kind, flag: `${nameOf(core)} ${names[it.id - stmt.id]}` });
      return numbers(core, it);
    },
  });
  return [...steps.values()];
}

/** An engine on its way. */
type Engine = { readonly steps: readonly Step[]; done: number };

/** Takes as many steps as it can, one where `isLate`. Gives a flag that it has set anew too early, and whether it came further. */
function advance(engine: Engine, isSet: Map<string, boolean>, isLate: boolean) {
  const before = engine.done;
  for (let step = engine.steps[engine.done]; step; step = engine.steps[engine.done]) {
    if (step.kind === "await" && !step.tokens.every((it) => it.isGiven)) break;
    if (step.kind === "wait" && isSet.get(step.flag) !== true) break;
    if (step.kind === "set" && isSet.get(step.flag) === true) return { lost: step.flag, moved: true };
    if (step.kind === "signal") step.tokens.forEach((it) => (it.isGiven = true));
    if (step.kind === "set" || step.kind === "wait") isSet.set(step.flag, step.kind === "set");
    engine.done++;
    if (isLate) break;
  }
  return { lost: undefined, moved: engine.done > before };
}

/** A flag that is set while it is set where some engine of the first group is late; undefined where there is none. */
export function lostSet(kernel: Kernel, profile: Profile, trial: Trial): string | undefined {
  const all = stepsOf(kernel, profile, trial);
  for (const late of all) {
    for (const step of all.flat())
      if (step.kind === "signal") step.tokens.forEach((it) => (it.isGiven = false));
    const engines = all.map((steps): Engine => ({ steps, done: 0 }));
    const others = engines.filter((it) => it.steps !== late);
    const last = engines.filter((it) => it.steps === late);
    const isSet = new Map<string, boolean>();
    const lostBy = (some: readonly Engine[], isLate: boolean) => {
      const found = some.map((it) => advance(it, isSet, isLate));
      return { lost: found.find((it) => it.lost)?.lost, moved: found.some((it) => it.moved) };
    };
    for (let goesOn = true; goesOn;) {
      const early = lostBy(others, false);
      if (early.lost !== undefined) return early.lost;
      if (early.moved) continue;
      const behind = lostBy(last, true);
      if (behind.lost !== undefined) return behind.lost;
      goesOn = behind.moved;
    }
  }
  return undefined;
}
