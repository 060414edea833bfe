/** `moec eval PLAN --text FILE`: how well a plan foretells a text. */
import { readPlan } from "../../plan/read-plan.ts";
import { perplexity, windowsOf } from "../../runtime/perplexity.ts";
import { openSession } from "../../runtime/session.ts";
import { loadTokenizer } from "../../runtime/tokenizer.ts";
import { fail } from "../../support/diagnostics.ts";
import { number } from "../../support/text.ts";
import { wholeNumber, type CommandSpec } from "../command.ts";
import { readText } from "../read-text.ts";

type Options = {
  readonly text: string;
  readonly window: number | undefined;
  readonly windows: number | undefined;
  readonly threads: number | undefined;
};

const defaultWindow = 512;

export const evaluate: CommandSpec<Options> = {
  name: "eval",
  summary: "measure a plan's perplexity on a text",
  args: [["<plan>", "a folder made by moec compile"]],
  options: {
    text: { flags: "--text <file>", help: "the text, UTF-8", required: true },
    window: {
      flags: "--window <n>",
      help: "tokens a window; each is scored on its own, the tail is dropped (default: 512, or the plan's context)",
      parse: wholeNumber(2),
    },
    windows: { flags: "--windows <k>", help: "score only the first k windows", parse: wholeNumber(1) },
    threads: { flags: "--threads <n>", help: "threads (default: one a core)", parse: wholeNumber(1, 256) },
  },
  examples: [
    "moec eval build/moe-6m --text fixtures/text/sample.txt",
    "moec eval build/moe-6m --text fixtures/text/sample.txt --window 128 --windows 2 --json",
  ],
  run: async ([dir = ""], options, cx) => {
    const plan = readPlan(dir);
    const tokenizer = loadTokenizer(plan.file(".")) ?? fail("run/no-tokenizer", undefined);
    const size = options.window ?? Math.min(defaultWindow, plan.manifest.context);
    if (size > plan.manifest.context) fail("run/context", undefined, size, plan.manifest.context);
    const ids = tokenizer.encode(readText(options.text), { bos: true });
    const windows = windowsOf(ids, size, options.windows);
    if (windows.length === 0)
      fail(
        "usage/value",
        { kind: "flag", flag: "--window" },
        "--window",
        `${size}`,
        `at most the text's ${ids.length} tokens`,
      );
    const session = openSession(plan, options.threads);
    const progress = cx.log.progress(`scoring ${windows.length} windows`);
    try {
      const result = await perplexity(session, windows, (done) =>
        progress.update(`scored ${done} of ${windows.length} windows`),
      );
      progress.done();
      cx.stdout.write(
        cx.json
          ? `${JSON.stringify(result)}\n`
          : `perplexity ${result.perplexity.toFixed(4)} over ${number(result.predictions)} predictions in ${result.windows} windows of ${size}\n`,
      );
    } finally {
      progress.done();
      await session.close();
    }
    return 0;
  },
};
