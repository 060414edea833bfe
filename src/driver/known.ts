/** What the compiler knows by name: for lists, help and checks on the command line. */
import { others, passes, pipeline } from "../../passes/index.ts";
import { targets, type TargetInfo } from "../../targets/index.ts";
import type { Module } from "../ir/graph.ts";
import type { Pass, Phase } from "../pass/pass.ts";
import { runPasses, type RunOptions } from "../pass/runner.ts";
import { fail } from "../support/diagnostics.ts";
import { nearest } from "../support/near.ts";

export const knownTargets: readonly TargetInfo[] = targets;
export const knownPhases: readonly Phase[] = pipeline;
/** Passes that only run when `moec opt` is asked for them. */
export const otherPasses: readonly Pass[] = others;

/** A pass by its name. Throws `pass/unknown`. */
export const passNamed = (name: string): Pass =>
  passes.find((p) => p.name === name) ??
  fail(
    "pass/unknown",
    undefined,
    name,
    nearest(
      name,
      passes.map((p) => p.name),
    ),
  );

/** Run the passes of these names in this order, or the whole pipeline where none is named. */
export function optimize(module: Module, names: readonly string[], options: RunOptions): Module {
  const phases = names.length ? [{ name: "chosen", passes: names.map(passNamed) }] : pipeline;
  return runPasses(module, phases, options);
}
