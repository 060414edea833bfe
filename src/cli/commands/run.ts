/** `moec run PLAN`: text streams out as it comes; or ids in, ids and logits out. */
import { readPlan, type Plan } from "../../plan/read-plan.ts";
import { readInputs, runGraph, writeOutputs } from "../../runtime/graph.ts";
import { generate } from "../../runtime/generate.ts";
import { logitsRecorder, writeLogits, type LogitsRecorder } from "../../runtime/eval/record-logits.ts";
import { openSession, type Sequence } from "../../runtime/session.ts";
import { loadTokenizer, type Tokenizer } from "../../runtime/tokenizer.ts";
import { createRandom } from "../../support/random.ts";
import { decimal, wholeNumber, type CommandSpec, type Context } from "../command.ts";
import { inOrder, type Writer } from "../in-order.ts";
import { promptOptions, promptsOf, type Prompt, type PromptOptions } from "../files/prompts.ts";

type Options = PromptOptions & {
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

const defaultTokens = 64;

/** Tensors in, tensors out. */
function graphRun(plan: Plan, inputs: string, outputs: string | undefined, cx: Context): number {
  const results = runGraph(plan, readInputs(inputs, plan.manifest.graph?.inputs ?? []));
  if (outputs !== undefined) {
    writeOutputs(outputs, results);
    cx.log.wrote(outputs);
  }
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
    ...promptOptions,
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
    seed: {
      flags: "--seed <n>",
      help: "what the drawing begins from; a further prompt's is one more",
      default: 0,
      parse: wholeNumber(0),
    },
    logits: {
      flags: "--logits <file>",
      help: "write the logits of the prompt's positions as safetensors: logits; of several prompts logits.0, logits.1, …",
    },
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
    "moec run build/moe-6m --prompts prompts.txt --json",
    "moec run build/moe-6m --ids 0,37,272 --logits logits.safetensors",
    "moec run build/graph --inputs in.safetensors --outputs out.safetensors",
  ],
  run: async ([dir = ""], options, cx) => {
    const plan = readPlan(dir);
    if (options.inputs !== undefined) return graphRun(plan, options.inputs, options.outputs, cx);
    const tokenizer = loadTokenizer(plan.file("."));
    const prompts = promptsOf(options, plan, tokenizer);
    const session = openSession(plan, options.threads);
    try {
      const writers = inOrder(prompts.length, (piece) => !cx.json && cx.stdout.write(piece));
      const recorders = prompts.map(logitsRecorder);
      const answers = await session.spread(prompts, async (sequence, prompt, i) => {
        const [writer, recorder] = [writers[i], recorders[i]];
        if (!writer || !recorder) throw new Error("there is a writer for each prompt");
        return answer(sequence, prompt, i, { options, tokenizer, writer, recorder });
      });
      const isOne = prompts.length === 1 && options.prompts === undefined;
      if (options.logits !== undefined) {
        writeLogits(
          options.logits,
          session.vocab,
          recorders.map((it, i) => [isOne ? "logits" : `logits.${i}`, it]),
        );
        cx.log.wrote(options.logits);
      }
      if (cx.json) cx.stdout.write(`${JSON.stringify(isOne ? answers[0] : { answers })}\n`);
    } finally {
      await session.close();
    }
    return 0;
  },
};

/** What the answer to a prompt is made with. */
type Means = {
  readonly options: Options;
  readonly tokenizer: Tokenizer | undefined;
  readonly writer: Writer;
  readonly recorder: LogitsRecorder;
};

/** Continue one prompt, the number `index`: its ids, and their text where the plan has a tokenizer. */
async function answer(
  sequence: Sequence,
  { ids: prompt, stop }: Prompt,
  index: number,
  { options, tokenizer, writer, recorder }: Means,
) {
  const wantsLogits = options.logits !== undefined;
  const tokens = generate(sequence, prompt, {
    tokens: options.tokens ?? (wantsLogits ? 0 : defaultTokens),
    sampling: { temperature: options.temperature, topP: options.topP },
    random: createRandom(options.seed + index),
    stop,
    by: options.tokenByToken ? "decode" : "prefill",
    ...(wantsLogits && { onPrompt: recorder.add }),
  });
  const stream = tokenizer?.decodeStream({ skipSpecial: true });
  const ids: number[] = [];
  const pieces: string[] = [];
  const put = (piece: string | undefined): void => {
    if (!piece) return;
    // Texts of several prompts stand apart.
    if (pieces.length === 0 && index > 0) writer.write("\n");
    pieces.push(piece);
    writer.write(piece);
  };
  for await (const id of tokens) {
    ids.push(id);
    put(stream ? stream.push(id) : `${ids.length > 1 ? "," : ""}${id}`);
  }
  put(stream?.end());
  if (pieces.length > 0) writer.write("\n");
  writer.end();
  return { ids, text: tokenizer ? pieces.join("") : null };
}
