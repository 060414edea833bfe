/** What `--cluster` takes besides: the requests to plan for, and how long they may wait. */
import { BadValue, wholeNumber, type OptionSpec } from "../command.ts";

export type ForecastOptions = {
  readonly cluster: string | undefined;
  readonly tpot: number | undefined;
  readonly ttft: number | undefined;
  readonly promptLength: number | undefined;
  readonly outputLength: number | undefined;
};

const units: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1 };

/** A time as an option's value, for `parse`: 50ms, 2s. Gives seconds. */
export function seconds(text: string): number {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?) ?(us|ms|s)$/.exec(text) ?? [];
  const value = Number(number) * (units[unit] ?? NaN);
  if (!(value > 0)) throw new BadValue(`'${text}' is not a time such as 50ms or 2s`);
  return value;
}

const longest = 1_000_000;

export const forecastOptions: { readonly [K in keyof ForecastOptions]-?: OptionSpec<ForecastOptions[K]> } = {
  cluster: {
    flags: "--cluster <name>",
    help: "find the layout for a cluster: one of `moec clusters`, a form such as '2x8 ascend-910b3', or a file",
  },
  tpot: {
    flags: "--tpot <time>",
    help: "with --cluster: the most time between tokens of a sequence, such as 50ms",
    parse: seconds,
  },
  ttft: {
    flags: "--ttft <time>",
    help: "with --cluster: the most time until the first token, such as 2s",
    parse: seconds,
  },
  promptLength: {
    flags: "--prompt-length <tokens>",
    help: "with --cluster: tokens of a request's prompt (default: 4096, or what the model's own limit leaves)",
    parse: wholeNumber(1, longest),
  },
  outputLength: {
    flags: "--output-length <tokens>",
    help: "with --cluster: tokens that a request generates (default: 1024, or what the model's own limit leaves)",
    parse: wholeNumber(1, longest),
  },
};
