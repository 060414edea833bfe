/** `moec targets [NAME]`: the devices there are to compile for. */
import { knownTargets } from "../../driver/known.ts";
import { fail } from "../../support/diagnostics.ts";
import { table } from "../../support/text.ts";
import type { CommandSpec } from "../command.ts";

export const targets: CommandSpec<Record<never, never>> = {
  name: "targets",
  summary: "list the devices to compile for",
  args: [["[name]", "tell of this one only"]],
  options: {},
  examples: ["moec targets", "moec targets cpu --json"],
  run: ([name], _options, cx) => {
    const shown = knownTargets.filter((it) => name === undefined || it.name === name);
    if (name !== undefined && shown.length === 0)
      fail(
        "usage/unknown",
        undefined,
        "target",
        name,
        knownTargets.map((it) => it.name),
      );
    cx.stdout.write(
      cx.json
        ? `${JSON.stringify({ targets: shown }, undefined, 2)}\n`
        : table(shown.map((it) => [it.name, it.summary])),
    );
    return Promise.resolve(0);
  },
};
