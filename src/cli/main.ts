/** The command line: parse, run one command, show what it says, end with its exit code. */
import { CommanderError } from "commander";
import { exitCodes } from "../support/diagnostics.ts";
import { createLog, loadPaint } from "../support/log.ts";
import { commands } from "./commands.ts";
import { failureOf } from "./errors.ts";
import { parseCall } from "./program.ts";
import { speaker } from "./speaker.ts";
import { packageVersion } from "./version.ts";

/** The world that a command line runs in. */
export type Terminal = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether standard error is a terminal: only there is progress drawn and colour used. */
  readonly terminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
};

/** Run one command line; returns its exit code. */
export async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  const before = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv;
  const json = before.includes("--json"); // known even where the command line cannot be parsed
  const color = terminal.terminal && !terminal.env["NO_COLOR"] && !before.includes("--no-color");
  try {
    const call = await parseCall(argv, commands, packageVersion(), terminal.out);
    if (!call) return exitCodes.done;
    if ("help" in call) {
      terminal.err(call.help);
      return exitCodes.usage;
    }
    const quiet = call.options.get("quiet") === true;
    const log = await createLog({ write: terminal.err, quiet, color, terminal: terminal.terminal });
    return await call.command.run(call.args, call.options, {
      stdout: { write: terminal.out },
      log,
      json,
      commands,
    });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done; // help or version, printed
    const failure = failureOf(error, await loadPaint(color));
    if (json) terminal.out(failure.json);
    terminal.err(failure.text);
    return failure.exit;
  }
}

/** Run as the process's own command line. */
export async function runProcess(argv: readonly string[]): Promise<void> {
  process.on("SIGINT", () => process.exit(exitCodes.interrupted));
  process.exitCode = await main(argv, {
    out: speaker(process.stdout, "standard output"),
    err: speaker(process.stderr, "standard error"),
    terminal: process.stderr.isTTY === true,
    env: process.env,
  });
}
