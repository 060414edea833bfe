/** `moec link PART...`: the parts of a compile become the plan. */
import { linkParts } from "../../plan/parts.ts";
import { fail } from "../../support/diagnostics.ts";
import { bytes, counted } from "../../support/text.ts";
import type { CommandSpec } from "../command.ts";

type Options = { readonly output: string | undefined };

export const link: CommandSpec<Options> = {
  name: "link",
  summary: "bring the parts of a compile together into a plan",
  args: [["<parts...>", "folders made by moec compile --part I/N, all N of them"]],
  options: {
    output: { flags: "-o, --output <dir>", help: "the plan's folder; written whole or not at all" },
  },
  examples: ["moec link build/part-1 build/part-2 -o build/moe-6m"],
  run: async (parts, { output }, cx) => {
    if (output === undefined)
      return fail("usage/missing", { kind: "flag", flag: "-o" }, "the folder of the plan");
    const weightBytes = await linkParts(output, parts);
    cx.log.info(`linked ${output} of ${counted(parts.length, "part")}, weights ${bytes(weightBytes)}`);
    if (cx.json)
      cx.stdout.write(`${JSON.stringify({ output, parts: parts.length, weightBytes }, undefined, 2)}\n`);
    return 0;
  },
};
