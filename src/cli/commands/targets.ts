/** `moec targets [NAME]`: the devices there are to compile for, and what is known of one. */
import { knownTargets } from "../../driver/known.ts";
import { profileOf } from "../../driver/target.ts";
import { table } from "../../support/text.ts";
import type { CommandSpec } from "../command.ts";
import { profileText } from "../reports/profile.ts";

export const targets: CommandSpec<Record<never, never>> = {
  name: "targets",
  summary: "list the devices to compile for",
  args: [["[name]", "tell every figure of this one, or of a profile of your own (.json)"]],
  options: {},
  examples: ["moec targets", "moec targets ascend-910b3", "moec targets ascend-910b3 --json"],
  run: ([name], _options, cx) => {
    const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
    if (name === undefined) {
      const rows = knownTargets.map((it) => [it.name, it.summary]);
      cx.stdout.write(cx.json ? json({ targets: knownTargets }) : table(rows));
    } else {
      const profile = profileOf(name);
      cx.stdout.write(cx.json ? json(profile) : profileText(profile));
    }
    return Promise.resolve(0);
  },
};
