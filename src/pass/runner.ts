import type { Module, Node } from "../ir/graph.ts";
import { verify } from "../ir/verifier.ts";
import { CompileError, diag, fail } from "../support/diagnostics.ts";
import { globToRegExp } from "../support/glob.ts";
import { nearest } from "../support/near.ts";
import { counter, type Counts, type Pass, type Phase } from "./pass.ts";

export type RunOptions = {
  /** Names or globs (`fuse-*`) of passes and rules that must not run. */
  readonly disable?: readonly string[];
  /** The name of a pass (its first run counts) or a phase to stop behind. */
  readonly stopAfter?: string;
  /** Called after each pass, for whoever prints or measures. */
  readonly onAfter?: (pass: Pass, module: Module, counts: Counts, ms: number) => void;
};

function disabledNames(phases: readonly Phase[], patterns: readonly string[]): ReadonlySet<string> {
  const known = [...new Set(phases.flatMap((p) => p.passes).flatMap((p) => [p.name, ...p.rules]))];
  return new Set(
    patterns.flatMap((pattern) => {
      const matcher = globToRegExp(pattern);
      const found = known.filter((name) => matcher.test(name));
      return found.length ? found : fail("pass/unknown", undefined, pattern, nearest(pattern, known));
    }),
  );
}

/** The steps up to and including `stopAfter`. */
function stepsUntil(phases: readonly Phase[], stopAfter: string | undefined): readonly Pass[] {
  const steps = phases.flatMap((p) => p.passes.map((pass) => ({ phase: p.name, pass })));
  if (stopAfter === undefined) return steps.map((s) => s.pass);
  const byPhase = steps.findLastIndex((s) => s.phase === stopAfter);
  const last = byPhase >= 0 ? byPhase : steps.findIndex((s) => s.pass.name === stopAfter);
  if (last < 0) {
    const known = [...new Set(steps.flatMap((s) => [s.phase, s.pass.name]))];
    fail("pass/unknown", undefined, stopAfter, nearest(stopAfter, known));
  }
  return steps.slice(0, last + 1).map((s) => s.pass);
}

/** Run one pass over the functions of its scope. The module object stays the same when nothing changed. */
export function runPass(module: Module, pass: Pass, enabled?: (rule: string) => boolean) {
  const total = counter();
  const funcs = module.funcs.map((func) => {
    if (pass.scope !== "all" && pass.scope !== func.name) return func;
    const outcome = pass.run(func, enabled);
    for (const [name, times] of outcome.counts) total.add(name, times);
    return outcome.func;
  });
  const same = funcs.every((f, i) => f === module.funcs[i]);
  return { module: same ? module : { ...module, funcs }, counts: total.counts };
}

/**
 * Run the passes of all phases in order and verify after each that changed something. A pass that breaks the
 * module is a fault of moec: the error names it. Throws `pass/unknown` for names in the options that nothing bears.
 */
export function runPasses(module: Module, phases: readonly Phase[], options: RunOptions = {}): Module {
  const disabled = disabledNames(phases, options.disable ?? []);
  const sound = new WeakSet<Node>();
  let current = module;
  for (const pass of stepsUntil(phases, options.stopAfter)) {
    if (disabled.has(pass.name)) continue;
    const start = performance.now();
    const outcome = runPass(current, pass, (rule) => !disabled.has(rule));
    const ms = performance.now() - start;
    const faults = outcome.module === current ? [] : verify(outcome.module, sound);
    if (faults.length > 0)
      throw new CompileError([diag("pass/broken", undefined, pass.name, faults.length), ...faults]);
    current = outcome.module;
    options.onAfter?.(pass, current, outcome.counts, ms);
  }
  return current;
}
