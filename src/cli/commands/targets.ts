/** `moec targets [NAME]`: the devices there are to compile for, and what is known of one. */
import { knownTargets } from "../../driver/known.ts";
import { profileOf } from "../../driver/target.ts";
import { confidences } from "../../machine/figure.ts";
import { figuresOf } from "../../machine/figures.ts";
import type { Profile } from "../../machine/profile.ts";
import { table } from "../../support/text.ts";
import type { CommandSpec } from "../command.ts";

/** Every figure of a device with its confidence and source. */
function profileText(profile: Profile): string {
  const rows = figuresOf(profile).map(({ place, shown, figure }) => [
    place,
    shown,
    figure.confidence,
    figure.source,
  ]);
  const legend = Object.entries(confidences).map(([name, meaning]) => [name, meaning]);
  return `${profile.name}: ${profile.summary}\n\n${table(rows)}\n${table(legend)}`;
}

export const targets: CommandSpec<Record<never, never>> = {
  name: "targets",
  summary: "list the devices to compile for",
  args: [["[name]", "tell every figure of this one, or of a profile of your own (.json)"]],
  options: {},
  examples: ["moec targets", "moec targets ascend-910b3", "moec targets ascend-910b3 --json"],
  run: ([name], _options, cx) => {
    const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
    if (name === undefined)
      cx.stdout.write(
        cx.json ? json({ targets: knownTargets }) : table(knownTargets.map((it) => [it.name, it.summary])),
      );
    else {
      const profile = profileOf(name);
      cx.stdout.write(cx.json ? json(profile) : profileText(profile));
    }
    return Promise.resolve(0);
  },
};
