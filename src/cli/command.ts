/**
 * How a command is declared: a typed table. An option that `run` expects and the table does not name does not
 * compile, and neither does one that may be absent where `run` expects a value.
 */
import type { Log } from "../support/log.ts";

/** What a command is given besides its own arguments. */
export type Context = {
  /** The result goes here and nothing else does. */
  readonly stdout: { write(text: string): void };
  readonly log: Log;
  /** Whether the result is to be one JSON document. */
  readonly json: boolean;
  /** Every command there is, for those that speak about commands. */
  readonly commands: readonly CommandEntry[];
};

/** An option that must come, may come, or has a default. */
type Presence<T> = undefined extends T
  ? { readonly default?: undefined }
  : { readonly default: NonNullable<T> } | { readonly required: true };

/** How one option is given: its flags (`-t, --target <name>`), its help, its values. A switch takes no value. */
export type OptionSpec<T> = { readonly flags: string; readonly help: string } & ([NonNullable<T>] extends [
  boolean,
]
  ? { readonly default?: undefined } // absent is false; `--no-x` flags are true when absent
  : Presence<T> &
      ([NonNullable<T>] extends [string]
        ? {
            readonly choices?: readonly NonNullable<T>[];
            readonly parse?: (text: string, previous: T | undefined) => NonNullable<T>;
          }
        : { readonly parse: (text: string, previous: T | undefined) => NonNullable<T> }));

/** A positional argument: `<model>` must come, `[name]` may, `<plans...>` come once or more. */
export type ArgSpec = readonly [form: string, help: string, choices?: readonly string[]];

/** A command with the options `O`, e.g. `{ readonly target: string; readonly cluster: string | undefined }`. */
export type CommandSpec<O> = {
  readonly name: string;
  readonly summary: string;
  readonly args: readonly ArgSpec[];
  readonly options: { readonly [K in keyof O]-?: OptionSpec<O[K]> };
  /** Whole command lines that work as they stand, shown under the help. */
  readonly examples: readonly string[];
  /** Do the work; returns the exit code. An absent `[name]` leaves `args` shorter. */
  run(args: readonly string[], options: O, cx: Context): Promise<number>;
};

/** One option as the command line's machinery sees it, its type forgotten. */
export type AnyOption = {
  readonly key: string;
  readonly flags: string;
  readonly help: string;
  readonly default?: unknown;
  readonly required?: boolean;
  readonly choices?: readonly string[];
  readonly parse?: (text: string, previous: unknown) => unknown;
};

export type AnyCommand = Omit<CommandSpec<never>, "options" | "run"> & {
  readonly options: readonly AnyOption[];
  run(args: readonly string[], options: ReadonlyMap<string, unknown>, cx: Context): Promise<number>;
};

/** A command in the table of commands: enough for the help, and how to load the rest. */
export type CommandEntry = {
  readonly name: string;
  readonly summary: string;
  load(): Promise<AnyCommand>;
};

function forgetType<O>(spec: CommandSpec<O>): AnyCommand {
  const options = Object.entries<object>(spec.options).map(
    ([key, option]) => ({ key, ...option }) as AnyOption, // every OptionSpec is one, whatever its T
  );
  return {
    ...spec,
    options,
    // The map was filled from the very table that types O: each key by its own default, choices or parser.
    run: (args, values, cx) => spec.run(args, Object.fromEntries(values) as O, cx),
  };
}

/** An entry of the table; the command's module is imported when the command is used. */
export function lazy<O>(name: string, summary: string, load: () => Promise<CommandSpec<O>>): CommandEntry {
  return { name, summary, load: async () => forgetType(await load()) };
}

/** Options that every command has. */
export const commonOptions: readonly AnyOption[] = [
  { key: "json", flags: "--json", help: "print one JSON document on standard output" },
  { key: "quiet", flags: "--quiet", help: "say nothing but warnings and errors" },
  { key: "color", flags: "--no-color", help: "no colours (NO_COLOR is honoured too)" },
];

/** A whole number as an option's value, for `parse`. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const n = /^-?\d+$/.test(text) ? Number(text) : NaN;
    if (n >= least && n <= most) return n;
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`;
    throw new BadValue(`'${text}' is not a whole number, ${range}`);
  };
}

/** A number as an option's value, for `parse`. */
export function decimal(least: number, most: number): (text: string) => number {
  return (text) => {
    const n = text.trim() === "" ? NaN : Number(text);
    if (n >= least && n <= most) return n;
    throw new BadValue(`'${text}' is not a number, ${least} to ${most}`);
  };
}

const units: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
};

/** An amount of memory as an option's value, for `parse`: 64GiB, 80GB, 512MiB. */
export function byteSize(text: string): number {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([KMGT]?i?B)$/.exec(text) ?? [];
  const scale = units[unit];
  if (number === "" || scale === undefined)
    throw new BadValue(`'${text}' is not an amount of memory such as 64GiB`);
  return Math.floor(Number(number) * scale);
}

/** A list as an option's value: separated by commas, the option repeated, or both. */
export const listed = (text: string, previous: readonly string[] | undefined): readonly string[] => [
  ...(previous ?? []),
  ...text.split(",").filter((it) => it !== ""),
];

/** Named sizes as an option's value, `batch=1`; a second use adds to the first. */
export function namedSizes(
  text: string,
  previous: ReadonlyMap<string, number> | undefined,
): ReadonlyMap<string, number> {
  const pairs = listed(text, []).map((pair): [string, number] => {
    const at = pair.lastIndexOf("=");
    if (at < 1) throw new BadValue(`'${pair}' is not name=size`);
    return [pair.slice(0, at), wholeNumber(0)(pair.slice(at + 1))];
  });
  return new Map([...(previous ?? []), ...pairs]);
}

/** Token ids as an option's value: `1,2,3`. */
export const idList = (text: string): readonly number[] =>
  text
    .split(/[\s,]+/)
    .filter((it) => it !== "")
    .map(wholeNumber(0, 2 ** 31 - 1));

/** What a `parse` throws; the command line adds which option it was. */
export class BadValue extends Error {}
