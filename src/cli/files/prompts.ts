/** The prompts of a command line: texts, lines of a file, or ids. */
import type { Plan } from "../../plan/read-plan.ts";
import { loadChatTemplate } from "../../runtime/chat.ts";
import type { Tokenizer } from "../../runtime/tokenizer.ts";
import { readText } from "../../driver/text-file.ts";
import { fail } from "../../support/diagnostics.ts";
import { idList, type OptionSpec } from "../command.ts";

export type PromptOptions = {
  readonly prompt: readonly string[];
  readonly prompts: string | undefined;
  readonly ids: readonly (readonly number[])[];
  readonly chat: boolean;
};

export const promptOptions: { readonly [K in keyof PromptOptions]: OptionSpec<PromptOptions[K]> } = {
  prompt: {
    flags: "-p, --prompt <text>",
    help: "what to continue; - reads standard input; repeat for several",
    default: [],
    parse: (text, previous) => [...(previous ?? []), text],
  },
  prompts: { flags: "--prompts <file>", help: "a file of prompts, one a line; - reads standard input" },
  ids: {
    flags: "--ids <list>",
    help: "the prompt as token ids, 1,2,3, taken as they are; repeat for several",
    default: [],
    parse: (text, previous) => [...(previous ?? []), idList(text)],
  },
  chat: { flags: "--chat", help: "take each prompt as a message, in the model's own chat template" },
};

/** A prompt as ids, and the tokens that end what follows it. */
export type Prompt = { readonly ids: readonly number[]; readonly stop: readonly number[] };

/** The texts to continue, each once; undefined where ids are given instead. */
function textsOf({ prompt, prompts, ids }: PromptOptions): readonly string[] | undefined {
  const given = [
    ...(prompt.length > 0 ? ["--prompt"] : []),
    ...(prompts === undefined ? [] : ["--prompts"]),
    ...(ids.length > 0 ? ["--ids"] : []),
  ];
  const [first = "", other = ""] = given.toReversed();
  if (given.length > 1)
    fail("usage/value", { kind: "flag", flag: first }, first, `given beside ${other}`, "one of the two");
  if (prompts !== undefined)
    return readText(prompts)
      .split(/\r?\n/)
      .filter((line) => line.trim() !== "");
  return ids.length > 0 ? undefined : prompt.map((text) => (text === "-" ? readText("-") : text));
}

/** The prompts of a command line. Ids are taken as they are, and no token ends what follows them. */
export function promptsOf(
  options: PromptOptions,
  plan: Plan,
  tokenizer: Tokenizer | undefined,
): readonly Prompt[] {
  const texts = textsOf(options);
  const lists = options.ids.filter((ids) => ids.length > 0);
  if ((texts ?? lists).length === 0)
    return fail("usage/missing", undefined, "a prompt (--prompt TEXT or --ids 1,2,3)");
  if (!texts) return lists.map((ids) => ({ ids, stop: [] }));
  if (!tokenizer) return fail("run/no-tokenizer", undefined);
  const stop = [...new Set([...plan.manifest.model.eos, ...tokenizer.eos])];
  if (!options.chat) return texts.map((text) => ({ ids: tokenizer.encode(text, { bos: true }), stop }));
  const template = loadChatTemplate(plan.file("."), tokenizer);
  if (!template) return fail("run/chat-template", undefined, "the checkpoint came without one");
  return texts.map((content) => ({
    ids: tokenizer.encode(template.render([{ role: "user", content }])),
    stop,
  }));
}
