/**
 * What moec says to people: prose, warnings and progress, on standard error. The only importer of chalk and
 * ora; both are loaded when first needed, so that `--help` and plain output never wait for them.
 */
import type { ChalkInstance } from "chalk";
import type { Ora } from "ora";

/** A step under way; drawn on a terminal only. `update` may be called as often as one likes. */
export type Progress = {
  update(text: string): void;
  /** End the step; a text given here is also printed where nothing is drawn. */
  done(text?: string): void;
};

export type Log = {
  readonly quiet: boolean;
  info(text: string): void;
  /** That what a flag names is written. */
  wrote(file: string): void;
  warn(text: string): void;
  /** What was asked for by a flag: printed even when quiet, as it stands. */
  print(text: string): void;
  progress(text: string): Progress;
};

/** How a log is made: where lines go, and what the terminal allows. */
export type LogOptions = {
  readonly write: (text: string) => void;
  readonly quiet: boolean;
  readonly color: boolean;
  /** Whether the lines go to a terminal, where progress can be drawn. */
  readonly terminal: boolean;
};

/** Colours by what a text means. Without colour each is the text itself. */
export type Paint = { readonly [K in "error" | "warn" | "hint" | "place"]: (text: string) => string };

const plain = (text: string): string => text;
export const noPaint: Paint = { error: plain, warn: plain, hint: plain, place: plain };

export async function loadPaint(color: boolean): Promise<Paint> {
  if (!color) return noPaint;
  const { Chalk } = await import("chalk");
  const chalk: ChalkInstance = new Chalk({ level: 1 });
  return { error: chalk.bold.red, warn: chalk.yellow, hint: chalk.cyan, place: chalk.dim };
}

export async function createLog(options: LogOptions): Promise<Log> {
  const { write, quiet, terminal } = options;
  const paint = await loadPaint(options.color);
  let drawn: Ora | undefined; // one spinner at most; lines printed meanwhile step around it
  const line = (text: string): void => {
    drawn?.clear();
    write(`${text}\n`);
    drawn?.render();
  };
  const info = (text: string): void => {
    if (!quiet) line(text);
  };
  return {
    quiet,
    info,
    wrote: (file) => info(`wrote ${file}`),
    print: line,
    warn: (text) => line(`${paint.warn("warning:")} ${text}`),
    progress: (text) => {
      let latest = text;
      let ended = false;
      let spinner: Ora | undefined;
      const draw = async (): Promise<void> => {
        const { default: ora } = await import("ora");
        if (ended || drawn) return;
        spinner = drawn = ora({ text: latest, discardStdin: false }).start();
      };
      if (terminal && !quiet) void draw();
      return {
        update: (next) => {
          latest = next;
          if (spinner) spinner.text = next;
        },
        done: (last) => {
          if (ended) return;
          ended = true;
          spinner?.stop();
          if (drawn === spinner) drawn = undefined;
          if (last !== undefined) info(last);
        },
      };
    },
  };
}
