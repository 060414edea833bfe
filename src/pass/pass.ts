import type { Func } from "../ir/graph.ts";

/** How often each rule of a pass fired. */
export type Counts = ReadonlyMap<string, number>;

export type PassOutcome = { readonly func: Func; readonly counts: Counts };

/** The functions a pass works on: all of them, or the one of that name. */
export type Scope = "all" | "prefill" | "decode";

/** One transformation of a function. A pass is a value: it neither prints nor measures, the runner does. */
export type Pass = {
  readonly name: string;
  /** What it does, `before ⟶ after` where that is short. */
  readonly summary: string;
  readonly scope: Scope;
  /** How far results may move, relative to their size: 0 where the arithmetic stays the same to the bit. */
  readonly tolerance: number;
  /** Names under which its rules are counted and can be disabled. */
  readonly rules: readonly string[];
  /** Gives the same `Func` object when nothing matched; `enabled` says which rules may fire. */
  readonly run: (func: Func, enabled?: (rule: string) => boolean) => PassOutcome;
};

/** A named stretch of the pipeline. */
export type Phase = { readonly name: string; readonly passes: readonly Pass[] };

export const phase = (name: string, ...passes: Pass[]): Phase => ({ name, passes });

/** A counter for `PassOutcome`. */
export function counter(): { readonly add: (rule: string, times?: number) => void; readonly counts: Counts } {
  const counts = new Map<string, number>();
  return { counts, add: (rule, times = 1) => void counts.set(rule, (counts.get(rule) ?? 0) + times) };
}
