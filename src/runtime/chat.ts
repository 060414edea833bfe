/** A conversation as the prompt that the model was trained on, by the checkpoint's own chat template. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import * as v from "valibot";
import { fail } from "../support/diagnostics.ts";
import type { Tokenizer } from "./tokenizer.ts";

export type ChatMessage = { readonly role: "system" | "user" | "assistant"; readonly content: string };
export type ChatTemplate = { render(messages: readonly ChatMessage[]): string };

const named = v.looseObject({ name: v.string(), template: v.string() });
const schema = v.looseObject({ chat_template: v.nullish(v.union([v.string(), v.array(named)])) });

/** The template's text and where it stands: a file of its own in newer checkpoints, else a key of the config. */
function findTemplate(dir: string): { readonly file: string; readonly text: string } | undefined {
  const own = join(dir, "chat_template.jinja");
  if (existsSync(own)) return { file: own, text: readFileSync(own, "utf8") };
  const file = join(dir, "tokenizer_config.json");
  if (!existsSync(file)) return undefined;
  const parsed = v.safeParse(schema, JSON.parse(readFileSync(file, "utf8")));
  const given = parsed.success ? parsed.output.chat_template : undefined;
  const text = Array.isArray(given) ? given.find((it) => it.name === "default")?.template : given;
  return typeof text === "string" ? { file, text } : undefined;
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * The chat template of a checkpoint or plan folder, or undefined where it has none. The rendered prompt carries
 * the begin-of-text token itself, so it is encoded without asking for another.
 */
export function loadChatTemplate(
  dir: string,
  tokenizer: Pick<Tokenizer, "bosText" | "eosText">,
): ChatTemplate | undefined {
  const found = findTemplate(dir);
  if (!found) return undefined;
  const where = { kind: "file", file: found.file } as const;
  let template: Template;
  try {
    template = new Template(found.text);
  } catch (error) {
    return fail("run/chat-template", where, reason(error));
  }
  return {
    render: (messages) => {
      try {
        return template.render({
          messages: messages.map((it) => ({ ...it })),
          bos_token: tokenizer.bosText,
          eos_token: tokenizer.eosText,
          add_generation_prompt: true,
        });
      } catch (error) {
        return fail("run/chat-template", where, reason(error));
      }
    },
  };
}
