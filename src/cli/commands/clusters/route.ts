/** `moec route PLAN --text FILE -o routing.safetensors`: which experts each token of a text takes. */
import { basename, extname } from "node:path";
import { writeRouting } from "../../../driver/placement/routing-file.ts";
import { readText } from "../../../driver/text-file.ts";
import { checkPositions } from "../../../plan/positions.ts";
import { readPlan, type Plan } from "../../../plan/read-plan.ts";
import { windowsOf } from "../../../runtime/eval/perplexity.ts";
import { recordRoutes, routersOf, type RecordedRoutes } from "../../../runtime/eval/record-routes.ts";
import { openSession } from "../../../runtime/session.ts";
import { loadTokenizer } from "../../../runtime/tokenizer.ts";
import { fail } from "../../../support/diagnostics.ts";
import { counted } from "../../../support/text.ts";
import { listed, wholeNumber, type CommandSpec } from "../../command.ts";

type Options = {
  readonly text: readonly string[];
  readonly output: string;
  readonly window: number;
  readonly windows: number | undefined;
  readonly threads: number | undefined;
};

/** A text's windows by its name, the file's without folder and ending. */
function windowsByName(plan: Plan, { text, window, windows }: Options) {
  const tokenizer = loadTokenizer(plan.file(".")) ?? fail("run/no-tokenizer", undefined);
  checkPositions(plan.manifest, window, { kind: "flag", flag: "--window" });
  return text.map((file) => {
    const ids = tokenizer.encode(readText(file), { bos: true });
    const cut = windowsOf(ids, window, windows);
    const expected = `at most the text's ${counted(ids.length, "token")}`;
    if (cut.length === 0)
      fail("usage/value", { kind: "flag", flag: "--window" }, "--window", `${window}`, expected);
    return { name: basename(file, extname(file)), windows: cut };
  });
}

export const route: CommandSpec<Options> = {
  name: "route",
  summary: "record which experts the tokens of a text take",
  args: [["<plan>", "a folder made by moec compile"]],
  options: {
    text: {
      flags: "--text <file>",
      help: "the text, UTF-8; repeat or separate by commas for several, each kept under its name",
      default: [],
      parse: listed,
    },
    output: { flags: "-o, --output <file>", help: "the safetensors file to write", required: true },
    window: {
      flags: "--window <n>",
      help: "tokens a window; each is run on its own, the tail is dropped",
      default: 512,
      parse: wholeNumber(1),
    },
    windows: {
      flags: "--windows <k>",
      help: "take only the first k windows of each text",
      parse: wholeNumber(1),
    },
    threads: { flags: "--threads <n>", help: "threads (default: one a core)", parse: wholeNumber(1, 256) },
  },
  examples: ["moec route build/moe-6m --text fixtures/text/sample.txt -o build/routing.safetensors"],
  run: async ([dir = ""], options, cx) => {
    if (options.text.length === 0) fail("usage/missing", { kind: "flag", flag: "--text" }, "the text");
    const plan = readPlan(dir);
    const facts = routersOf(plan);
    const texts = windowsByName(plan, options);
    const session = openSession(plan, options.threads);
    const progress = cx.log.progress(`running ${counted(texts.length, "text")}`);
    const recorded = new Map<string, RecordedRoutes>();
    try {
      for (const { name, windows } of texts) {
        const routes = await recordRoutes(session, windows, (done) =>
          progress.update(`ran ${done} of ${counted(windows.length, "window")} of ${name}`),
        );
        recorded.set(name, routes);
      }
    } finally {
      progress.done();
      await session.close();
    }
    writeRouting(options.output, recorded, { ...facts, window: options.window });
    cx.log.wrote(options.output);
    const told = [...recorded].map(([name, { shape }]) => ({ name, tokens: shape[0], layers: shape[1], k: shape[2] })); // prettier-ignore
    cx.stdout.write(
      cx.json
        ? `${JSON.stringify({ ...facts, texts: told }, undefined, 2)}\n`
        : told.map((it) => `${it.name}: ${counted(it.tokens, "token")}, ${counted(it.layers, "layer")}, ${it.k} of ${counted(facts.experts, "expert")} each\n`).join(""),
    ); // prettier-ignore
    return 0;
  },
};
