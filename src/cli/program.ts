/** The table of commands as a commander program. Only the command that is used gets its options. */
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { BadValue, commonOptions, type AnyCommand, type AnyOption, type CommandEntry } from "./command.ts";

/** A command line understood: which command, with what. */
export type Call = {
  readonly command: AnyCommand;
  readonly args: readonly string[];
  readonly options: ReadonlyMap<string, unknown>;
};

function optionOf(spec: AnyOption): Option {
  const option = new Option(spec.flags, spec.help);
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.required) option.makeOptionMandatory();
  if (spec.choices) option.choices(spec.choices);
  const { parse } = spec;
  if (parse) {
    option.argParser((text: string, previous: unknown) => {
      try {
        return parse(text, previous === spec.default ? undefined : previous);
      } catch (error) {
        throw error instanceof BadValue ? new InvalidArgumentError(`${error.message}.`) : error;
      }
    });
  }
  return option;
}

function fillIn(sub: Command, command: AnyCommand, called: (call: Call) => void): void {
  for (const [form, help, choices] of command.args) {
    const argument = new Argument(form, help);
    sub.addArgument(choices ? argument.choices(choices) : argument);
  }
  const options = [...command.options, ...commonOptions].map((spec) => ({ spec, option: optionOf(spec) }));
  for (const { option } of options) sub.addOption(option);
  if (command.examples.length > 0) {
    sub.addHelpText("after", `\nExamples:\n${command.examples.map((it) => `  $ ${it}`).join("\n")}`);
  }
  sub.action(() => {
    const given: Record<string, unknown> = sub.opts();
    const values = options.map(({ spec, option }): [string, unknown] => {
      const value = given[option.attributeName()];
      return [spec.key, value === undefined && option.isBoolean() ? false : value];
    });
    called({
      command,
      args: sub.processedArgs.flat().filter((it) => typeof it === "string"),
      options: new Map(values),
    });
  });
}

/** Parse a command line; asked-for help and faults leave as commander's own error. An empty line gets the help. */
export async function parseCall(
  argv: readonly string[],
  entries: readonly CommandEntry[],
  version: string,
  print: (text: string) => void,
): Promise<Call | { readonly help: string } | undefined> {
  const program = new Command("moec")
    .description("Port DeepSeek mixture-of-experts checkpoints to chips without CUDA.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(true)
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: () => {} });
  program.addHelpText(
    "after",
    "\nmoec COMMAND --help says more of a command; every command takes --json and --quiet.",
  );
  const words = argv.filter((it) => !it.startsWith("-"));
  const wanted = words[0] === "help" ? words[1] : words[0];
  let result: Call | undefined;
  for (const entry of entries) {
    const sub = program
      .command(entry.name)
      .description(entry.summary)
      .helpOption("-h, --help", "print this help");
    if (entry.name === wanted) fillIn(sub, await entry.load(), (call) => (result = call));
  }
  if (argv.length === 0) return { help: `${program.helpInformation()}` };
  await program.parseAsync([...argv], { from: "user" });
  return result;
}
