/** `moec passes`: the pipeline in order. */
import { knownPhases, otherPasses } from "../../driver/known.ts";
import { table } from "../../support/text.ts";
import type { CommandSpec } from "../command.ts";

export const passes: CommandSpec<Record<never, never>> = {
  name: "passes",
  summary: "list the passes in order",
  args: [],
  options: {},
  examples: ["moec passes", "moec passes --json"],
  run: (_args, _options, cx) => {
    const phases = [...knownPhases, { name: "by name only", passes: otherPasses }].map((phase) => ({
      name: phase.name,
      passes: phase.passes.map(({ name, summary, scope, tolerance, rules }) => ({
        name,
        summary,
        scope,
        tolerance,
        rules,
      })),
    }));
    const rows = phases.flatMap((phase) => [
      [phase.name],
      ...phase.passes.map((pass) => [`  ${pass.name}`, pass.summary]),
    ]);
    cx.stdout.write(cx.json ? `${JSON.stringify({ phases }, undefined, 2)}\n` : table(rows));
    return Promise.resolve(0);
  },
};
