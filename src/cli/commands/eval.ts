/** `moec eval PLAN --text FILE`: how well a plan foretells a text, and how near it is to its model. */
import { basename } from "node:path";
import { referencePlan } from "../../driver/reference.ts";
import { readText } from "../../driver/text-file.ts";
import { checkPositions } from "../../plan/positions.ts";
import { readPlan, type Plan } from "../../plan/read-plan.ts";
import { addTally, emptyTally, judge, judgement, type Judgement } from "../../runtime/eval/judge.ts";
import { perplexity, windowsOf, type Perplexity } from "../../runtime/eval/perplexity.ts";
import { openSession, type Session } from "../../runtime/session.ts";
import { loadTokenizer } from "../../runtime/tokenizer.ts";
import { CompileError, exitCodes, fail } from "../../support/diagnostics.ts";
import { counted } from "../../support/text.ts";
import { listed, wholeNumber, type CommandSpec, type Context } from "../command.ts";
import { exceeded, limits, type Limits } from "../limits.ts";

type Options = {
  readonly text: readonly string[];
  readonly against: string | undefined;
  readonly window: number | undefined;
  readonly windows: number | undefined;
  readonly failOver: Limits;
  readonly threads: number | undefined;
};

const defaultWindow = 512;

/** Windows of one text. */
type Text = { readonly file: string; readonly windows: readonly (readonly number[])[] };

function textsOf(plan: Plan, options: Options): readonly Text[] {
  if (options.text.length === 0) return fail("usage/missing", { kind: "flag", flag: "--text" }, "the text");
  const tokenizer = loadTokenizer(plan.file(".")) ?? fail("run/no-tokenizer", undefined);
  const size = options.window ?? Math.min(defaultWindow, plan.manifest.context);
  checkPositions(plan.manifest, size, { kind: "flag", flag: "--window" });
  return options.text.map((file) => {
    const ids = tokenizer.encode(readText(file), { bos: true });
    const windows = windowsOf(ids, size, options.windows);
    if (windows.length > 0) return { file, windows };
    const expected = `at most the text's ${counted(ids.length, "token")}`;
    return fail("usage/value", { kind: "flag", flag: "--window" }, "--window", `${size}`, expected);
  });
}

/** Perplexity over all texts together. */
async function evaluateAlone(plan: Plan, texts: readonly Text[], options: Options, cx: Context) {
  const session = openSession(plan, options.threads);
  const windows = texts.flatMap((it) => it.windows);
  const progress = cx.log.progress(`scoring ${counted(windows.length, "window")}`);
  try {
    return await perplexity(session, windows, (done) =>
      progress.update(`scored ${done} of ${counted(windows.length, "window")}`),
    );
  } finally {
    progress.done();
    await session.close();
  }
}

type Compared = Judgement & { readonly texts: readonly (Judgement & { readonly text: string })[] };

/** The plan beside the model it is compared with, over all texts and each. */
async function evaluateAgainst(
  path: string,
  plan: Plan,
  texts: readonly Text[],
  options: Options,
  cx: Context,
): Promise<Compared> {
  const progress = cx.log.progress(`compiling ${path}`);
  const reference = await referencePlan(path, plan.manifest.context);
  const sessions: Session[] = [];
  try {
    const [found, expected] = [plan, reference.plan].map((it) => it.manifest.model.vocab);
    if (found !== expected) fail("eval/other-vocabulary", undefined, found ?? 0, expected ?? 0);
    const own = openSession(plan, options.threads);
    sessions.push(own);
    const other = openSession(reference.plan, options.threads);
    sessions.push(other);
    const whole = emptyTally();
    const each: Compared["texts"][number][] = [];
    for (const { file, windows } of texts) {
      const tally = await judge(own, other, windows, (done) =>
        progress.update(`scored ${done} of ${counted(windows.length, "window")} of ${file}`),
      );
      addTally(whole, tally);
      each.push({ text: file, ...judgement(tally) });
    }
    return { ...judgement(whole), texts: each };
  } finally {
    progress.done();
    for (const session of sessions) await session.close();
    reference.remove();
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

const described = ({ perplexity: value, predictions, windows }: Perplexity): string =>
  `perplexity ${value.toFixed(4)} over ${counted(predictions, "prediction")} in ${counted(windows, "window")}`;

function comparison(name: string, it: Judgement): string {
  return [
    `${name}: ${described(it)}`,
    `  the model's perplexity ${it.referencePerplexity.toFixed(4)}, KL ${it.kl.toPrecision(4)} nats a token`,
    `  same most likely token ${percent(it.top1Agreement)}, same experts ${percent(it.routingAgreement)}`,
  ].join("\n");
}

export const evaluate: CommandSpec<Options> = {
  name: "eval",
  summary: "measure a plan's perplexity, and how near it is to its model",
  args: [["<plan>", "a folder made by moec compile"]],
  options: {
    text: {
      flags: "--text <file>",
      help: "the text, UTF-8; repeat or separate by commas for several",
      default: [],
      parse: listed,
    },
    against: {
      flags: "--against <model>",
      help: "compare with this model in full precision, or with another plan: KL, top-1 and routing agreement",
    },
    window: {
      flags: "--window <n>",
      help: "tokens a window; each is scored on its own, the tail is dropped (default: 512, or the plan's context)",
      parse: wholeNumber(2),
    },
    windows: {
      flags: "--windows <k>",
      help: "score only the first k windows of each text",
      parse: wholeNumber(1),
    },
    failOver: {
      flags: "--fail-over <limits>",
      help: "end with exit code 5 beyond these, such as kl=0.01,ppl=0.3,top1=0.95,routing=0.9 (ppl in percent above the model's)",
      default: new Map(),
      parse: limits,
    },
    threads: { flags: "--threads <n>", help: "threads (default: one a core)", parse: wholeNumber(1, 256) },
  },
  examples: [
    "moec eval build/moe-6m --text fixtures/text/sample.txt",
    "moec eval build/moe-6m --text fixtures/text/sample.txt --window 128 --windows 2 --json",
    "moec eval build/moe-6m --text fixtures/text/sample.txt --against fixtures/moe-6m --fail-over kl=0.01",
  ],
  run: async ([dir = ""], options, cx) => {
    const plan = readPlan(dir);
    const { against, failOver } = options;
    if (against === undefined && failOver.size > 0)
      fail("usage/missing", { kind: "flag", flag: "--against" }, "the model that --fail-over compares with");
    const texts = textsOf(plan, options);
    if (against === undefined) {
      const result = await evaluateAlone(plan, texts, options, cx);
      cx.stdout.write(cx.json ? `${JSON.stringify(result)}\n` : `${described(result)}\n`);
      return 0;
    }
    const result = await evaluateAgainst(against, plan, texts, options, cx);
    const lines = result.texts.map((it) => comparison(basename(it.text), it));
    const all = texts.length > 1 ? [comparison("all texts", result)] : [];
    const over = exceeded(result, failOver);
    // One document, whether the limits hold or not.
    if (cx.json) cx.stdout.write(`${JSON.stringify({ ...result, over: over.map((it) => it.message) })}\n`);
    else cx.stdout.write(`${[...lines, ...all].join("\n")}\n`);
    if (over.length > 0 && !cx.json) throw new CompileError(over);
    return over.length > 0 ? exitCodes.check : exitCodes.done;
  },
};
