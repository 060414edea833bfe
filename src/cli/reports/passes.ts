/** What each pass matched and changed, gathered while the pipeline runs. */
import { printModule } from "../../ir/printer.ts";
import type { RunOptions } from "../../pass/runner.ts";
import { table } from "../../support/text.ts";

/** One run of one pass, as `--json` tells it. */
export type PassRun = {
  readonly pass: string;
  /** How often each rule fired. */
  readonly matched: Readonly<Record<string, number>>;
  readonly ms: number;
};

export type PassReport = {
  readonly runs: readonly PassRun[];
  readonly onAfter: NonNullable<RunOptions["onAfter"]>;
};

/** An instrument for the pass runner; `print` is given the module after each pass that `shown` names. */
export function passReport(shown: string | undefined, print: (text: string) => void): PassReport {
  const runs: PassRun[] = [];
  return {
    runs,
    onAfter: (pass, module, counts, ms) => {
      runs.push({ pass: pass.name, matched: Object.fromEntries(counts), ms: Math.round(ms * 10) / 10 });
      if (shown === "all" || shown === pass.name) print(`// after ${pass.name}\n${printModule(module)}\n`);
    },
  };
}

/** The passes that changed something, a line each. */
export function formatRuns(runs: readonly PassRun[]): string {
  const rows = runs
    .filter((it) => Object.keys(it.matched).length > 0)
    .map((it) => [
      `  ${it.pass}`,
      Object.entries(it.matched)
        .map(([rule, times]) => (rule === it.pass ? `×${times}` : `${rule} ×${times}`))
        .join(", "),
    ]);
  return table(rows);
}
