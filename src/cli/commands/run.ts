/** `moec run PLAN`: text streams out as it comes; or ids in, ids and logits out. */
import { readPlan, type Plan } from "../../plan/read-plan.ts";
import { loadChatTemplate } from "../../runtime/chat.ts";
import { readInputs, runGraph, writeOutputs } from "../../runtime/graph.ts";
import { generate } from "../../runtime/generate.ts";
import { logitsRecorder } from "../../runtime/record-logits.ts";
import { openSession } from "../../runtime/session.ts";
import { loadTokenizer, type Tokenizer } from "../../runtime/tokenizer.ts";
import { fail } from "../../support/diagnostics.ts";
import { createRandom } from "../../support/random.ts";
import { readText } from "../read-text.ts";
import { decimal, idList, wholeNumber, type CommandSpec, type Context } from "../command.ts";

type Options = {
  readonly prompt: string | undefined;
  readonly ids: readonly number[] | undefined;
  readonly chat: boolean;
  readonly tokens: number | undefined;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  readonly logits: string | undefined;
  readonly tokenByToken: boolean;
  readonly threads: number | undefined;
  readonly inputs: string | undefined;
  readonly outputs: string | undefined;
};

type Prompt = { readonly ids: readonly number[]; readonly stop: readonly number[] };

const defaultTokens = 64;

/** The prompt as ids. Ids are taken as they are, and no token ends what follows them. */
function promptOf(
  options: Options,
  tokenizer: Tokenizer | undefined,
  dir: string,
  eos: readonly number[],
): Prompt {
  if (options.ids !== undefined && options.prompt !== undefined)
    return fail(
      "usage/value",
      { kind: "flag", flag: "--ids" },
      "--ids",
      "given beside --prompt",
      "one of the two",
    );
  if (options.ids?.length) return { ids: options.ids, stop: [] };
  if (options.prompt === undefined)
    return fail("usage/missing", undefined, "a prompt (--prompt TEXT or --ids 1,2,3)");
  if (!tokenizer) return fail("run/no-tokenizer", undefined);
  const text = options.prompt === "-" ? readText("-") : options.prompt;
  const stop = [...new Set([...eos, ...tokenizer.eos])];
  if (!options.chat) return { ids: tokenizer.encode(text, { bos: true }), stop };
  const template = loadChatTemplate(dir, tokenizer);
  if (!template) return fail("run/chat-template", undefined, "the checkpoint came without one");
  return { ids: tokenizer.encode(template.render([{ role: "user", content: text }])), stop };
}

/** Tensors in, tensors out. */
function graphRun(plan: Plan, inputs: string, outputs: string | undefined, cx: Context): number {
  const results = runGraph(plan, readInputs(inputs, plan.manifest.graph?.inputs ?? []));
  if (outputs !== undefined) writeOutputs(outputs, results);
  const shapes = [...results].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  if (cx.json) cx.stdout.write(`${JSON.stringify({ outputs: shapes })}\n`);
  else cx.stdout.write(shapes.map((it) => `${it.name}: ${it.dtype}[${it.shape.join(",")}]\n`).join(""));
  return 0;
}

export const run: CommandSpec<Options> = {
  name: "run",
  summary: "let a plan write, or give its logits",
  args: [["<plan>", "a folder made by moec compile"]],
  options: {
    prompt: { flags: "-p, --prompt <text>", help: "what to continue; - reads standard input" },
    ids: { flags: "--ids <list>", help: "the prompt as token ids, 1,2,3, taken as they are", parse: idList },
    chat: { flags: "--chat", help: "take the prompt as a message, in the model's own chat template" },
    tokens: {
      flags: "-n, --tokens <n>",
      help: `how many tokens to write at most (default: ${defaultTokens}, with --logits 0)`,
      parse: wholeNumber(0),
    },
    temperature: {
      flags: "--temperature <t>",
      help: "0 takes the likeliest token each time; higher varies more",
      default: 0,
      parse: decimal(0, 100),
    },
    topP: {
      flags: "--top-p <p>",
      help: "draw from the likeliest tokens that make up this share",
      default: 1,
      parse: decimal(0, 1),
    },
    seed: { flags: "--seed <n>", help: "what the drawing begins from", default: 0, parse: wholeNumber(0) },
    logits: { flags: "--logits <file>", help: "write the logits of the prompt's positions as safetensors" },
    tokenByToken: {
      flags: "--token-by-token",
      help: "feed the prompt through the decode program, one token a call",
    },
    inputs: { flags: "--inputs <file>", help: "the inputs of a plan of a graph, a safetensors file" },
    outputs: { flags: "--outputs <file>", help: "where to write its outputs, as safetensors" },
    threads: { flags: "--threads <n>", help: "threads (default: one a core)", parse: wholeNumber(1, 256) },
  },
  examples: [
    'moec run build/moe-6m --prompt "And it came to pass" -n 32',
    "moec run build/moe-6m --ids 0,37,272 -n 16 --json",
    "moec run build/moe-6m --ids 0,37,272 --logits logits.safetensors",
    "moec run build/graph --inputs in.safetensors --outputs out.safetensors",
  ],
  run: async ([dir = ""], options, cx) => {
    const plan = readPlan(dir);
    if (options.inputs !== undefined) return graphRun(plan, options.inputs, options.outputs, cx);
    const tokenizer = loadTokenizer(plan.file("."));
    const prompt = promptOf(options, tokenizer, plan.file("."), plan.manifest.model.eos);
    const session = openSession(plan, options.threads);
    try {
      const recorder = options.logits === undefined ? undefined : logitsRecorder(session.vocab);
      const tokens = generate(session, prompt.ids, {
        tokens: options.tokens ?? (recorder ? 0 : defaultTokens),
        sampling: { temperature: options.temperature, topP: options.topP },
        random: createRandom(options.seed),
        stop: prompt.stop,
        by: options.tokenByToken ? "decode" : "prefill",
        ...(recorder && { onPrompt: recorder.add }),
      });
      const stream = tokenizer?.decodeStream({ skipSpecial: true });
      const ids: number[] = [];
      const pieces: string[] = [];
      const put = (piece: string | undefined): void => {
        if (!piece) return;
        pieces.push(piece);
        if (!cx.json) cx.stdout.write(piece);
      };
      for await (const id of tokens) {
        ids.push(id);
        put(stream ? stream.push(id) : `${ids.length > 1 ? "," : ""}${id}`);
      }
      put(stream?.end());
      if (recorder && options.logits !== undefined) recorder.save(options.logits);
      if (cx.json) cx.stdout.write(`${JSON.stringify({ ids, text: tokenizer ? pieces.join("") : null })}\n`);
      else if (pieces.length > 0) cx.stdout.write("\n");
    } finally {
      await session.close();
    }
    return 0;
  },
};
