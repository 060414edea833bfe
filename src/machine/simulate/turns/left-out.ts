/** Which turns of the cores of a group are left out, each for itself or all together. */
import type { Core } from "../../schedule/cores.ts";
import type { Env } from "../../schedule/expr.ts";
import type { Loop, PreparedPart } from "../../schedule/prepare.ts";
import type { Reader } from "../reader.ts";
import { sideBySide } from "../reads/loads.ts";
import { formsOf, shortener, type Form } from "./forms.ts";
import { repeater, type Repeater } from "./repeat.ts";
import { signallingLoops, skipper } from "./steady.ts";

/** What turns depend on besides their form. */
export type Conditions = {
  readonly reader: Reader;
  /** Turns under different ones take different times. */
  readonly of: (round: number) => string;
  /** Loops whose later turns come back to what the first has read. */
  readonly again: ReadonlySet<Loop>;
};

/** What leaves out the turns of each core of a group. `ahead` are the same cores, to look at their turns with before any of these is taken. */
export function repeatersOf(
  parts: readonly PreparedPart[],
  cores: readonly Core[],
  ahead: readonly Core[],
  conditions: Conditions,
): readonly Repeater[] {
  const forms = new Map(
    parts.map((it) => [it, formsOf(it, conditions.reader, countedLoops(it, parts), conditions.of)]),
  );
  const outer = ahead.map(({ part, env }) => forms.get(part)?.(env) ?? []);
  const together = inStep(outer, parts) ? sideBySide(outer, joined) : [];
  return cores.map(({ part, env }, i) => {
    const own = inContext(parts.length === 1 ? (outer[i] ?? []) : together);
    return repeaterOf(part, env, parts, own, conditions.again);
  });
}

/** Every turn is walked through. */
export const asItIs: Repeater = { skip: () => 0, settle: () => {} };

/** The outermost loops whose turns are counted: where several parts signal to one another, those in which they do. */
const countedLoops = (part: PreparedPart, parts: readonly PreparedPart[]): readonly Loop[] =>
  parts.length > 1 ? signallingLoops(part) : part.body.filter((it) => it.kind === "loop");

/** Whether all cores go through one loop each, of the same turns. */
const inStep = (turns: readonly (readonly Form[])[], parts: readonly PreparedPart[]): boolean =>
  parts.every((it) => signallingLoops(it).length === 1) &&
  turns.every((it) => it.length === turns[0]?.length);

/** Turns until all are alike: parts that await one another end one before they begin the next, and leave out the same. */
const known = {
  together: { times: 2, atMost: 2, ofLong: 1 },
  alone: { times: 8, atMost: 24, ofLong: 2 },
} as const;

/** What several cores do in a turn, as one. */
const joined = (of: readonly Form[]): Form => ({
  shape: of.map((it) => it.shape).join("/"),
  rounds: of.flatMap((it) => it.rounds),
  instructions: of.reduce((n, it) => n + it.instructions, 0),
});

/**
 * Turns told apart by what stands before them, since they begin while it ends: the shape of the last that had work, and how many turns
 * without any have followed it.
 */
function inContext(forms: readonly Form[]): readonly Form[] {
  const short = shortener();
  let [last, idle] = ["", 0];
  return forms.map((it) => {
    const shape = short(`${it.shape} after ${idle} and ${last}`);
    [last, idle] = it.instructions > 0 ? [it.shape, 0] : [last, idle + 1];
    return { ...it, shape };
  });
}

/** Instructions that are walked through sooner than it is worth to leave turns out: turns that differ much overlap as no other does. */
const few = 8_000;
const isShort = (forms: readonly Form[]): boolean => forms.reduce((n, it) => n + it.instructions, 0) <= few;

/** What leaves out the turns of a core. */
function repeaterOf(
  part: PreparedPart,
  env: Env,
  parts: readonly PreparedPart[],
  forms: readonly Form[],
  again: ReadonlySet<Loop>,
): Repeater {
  const steady = skipper(part, env, parts.length === 1 ? forms : [], again);
  const [loop, another] = countedLoops(part, parts);
  if (!loop || another || isShort(forms)) return { ...asItIs, skip: steady };
  return repeater(part, env, loop, forms, parts.length > 1 ? known.together : known.alone, steady);
}
