/** `moec opt FILE.mir --pass NAME`: passes on an IR text, as compiler people test them. */
import { optimize } from "../../driver/known.ts";
import { readText } from "../../driver/text-file.ts";
import { parseModule } from "../../ir/parser.ts";
import { printModule } from "../../ir/printer.ts";
import { listed, type CommandSpec } from "../command.ts";
import { formatRuns, passReport } from "../reports/passes.ts";

type Options = {
  readonly pass: readonly string[];
  readonly disable: readonly string[];
  readonly printIrAfter: string | undefined;
};

export const opt: CommandSpec<Options> = {
  name: "opt",
  summary: "run passes on an IR text",
  args: [["<file>", "an IR text; - reads standard input"]],
  options: {
    pass: {
      flags: "--pass <name>",
      help: "the passes in order (default: the whole pipeline); repeat or separate by commas",
      default: [],
      parse: listed,
    },
    disable: {
      flags: "--disable <pattern>",
      help: "passes or rules to leave out, * for any letters",
      default: [],
      parse: listed,
    },
    printIrAfter: {
      flags: "--print-ir-after <pass>",
      help: "print the module after that pass, or after all, on standard error",
    },
  },
  examples: [
    "moec opt build/layer.mir --pass canonicalize,fuse-swiglu",
    "moec opt build/layer.mir --disable 'fuse-*' --print-ir-after all",
  ],
  run: async ([file = ""], options, cx) => {
    const report = passReport(options.printIrAfter, (text) => cx.log.print(text));
    const module = parseModule(readText(file), file);
    const text = printModule(
      optimize(module, options.pass, { disable: options.disable, onAfter: report.onAfter }),
    );
    const runs = formatRuns(report.runs).trimEnd();
    if (runs) cx.log.info(runs);
    cx.stdout.write(
      cx.json ? `${JSON.stringify({ module: text, passes: report.runs }, undefined, 2)}\n` : text,
    );
    return Promise.resolve(0);
  },
};
