/** Limits on what `moec eval` may find, as `--fail-over kl=0.01,top1=0.95` gives them. */
import type { Judgement } from "../runtime/eval/judge.ts";
import { diag, type Diagnostic } from "../support/diagnostics.ts";
import { BadValue } from "./command.ts";

type Measure = {
  /** A figure that grows as a plan gets worse. */
  readonly badness: (it: Judgement) => number;
  /** The figure as people know it, from badness. */
  readonly shown: (badness: number) => number;
  readonly help: string;
};

const agreement = (of: (it: Judgement) => number, help: string): Measure => ({
  badness: (it) => -of(it),
  shown: (badness) => -badness,
  help,
});

/** What can be limited, by name. */
export const measures = {
  kl: { badness: (it) => it.kl, shown: (x) => x, help: "mean KL, at most" },
  ppl: {
    badness: (it) => 100 * (it.perplexity / it.referencePerplexity - 1),
    shown: (x) => x,
    help: "rise of perplexity in percent, at most",
  },
  top1: agreement((it) => it.top1Agreement, "top-1 agreement, at least"),
  routing: agreement((it) => it.routingAgreement, "routing agreement, at least"),
} as const satisfies Record<string, Measure>;

type MeasureName = keyof typeof measures;
const isMeasure = (name: string): name is MeasureName => Object.hasOwn(measures, name);

export type Limits = ReadonlyMap<MeasureName, number>;

/** Limits as an option's value; a second use adds to the first. */
export function limits(text: string, previous: Limits | undefined): Limits {
  const pairs = text.split(",").map((pair): [MeasureName, number] => {
    const [name = "", value = ""] = pair.split("=");
    const limit = value.trim() === "" ? NaN : Number(value);
    if (!isMeasure(name) || !Number.isFinite(limit))
      throw new BadValue(
        `'${pair}' is not one of ${Object.keys(measures).join(", ")} with a number, such as kl=0.01`,
      );
    return [name, limit];
  });
  return new Map([...(previous ?? []), ...pairs]);
}

/** An `eval/over` for every limit that is exceeded. */
export const exceeded = (found: Judgement, given: Limits): readonly Diagnostic[] =>
  [...given].flatMap(([name, limit]) => {
    const { badness, shown, help } = measures[name];
    const isOver = !(badness(found) <= shown(limit));
    return isOver
      ? [diag("eval/over", undefined, name, `${Number(shown(badness(found)).toPrecision(6))}`, help, limit)]
      : [];
  });
