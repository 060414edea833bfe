/** A kernel's turns seen from afar: which are alike. */
import type { Env } from "../schedule/expr.ts";
import type { Loop, Prepared, PreparedPart } from "../schedule/prepare.ts";
import { sketch, turnsOf, type Instruction } from "../schedule/walk.ts";

/** The number that a `read` finds in a tensor or buffer; timing has no data, so its caller says what there would be. */
export type Reader = (box: string, at: readonly number[]) => number;

export const readBy = (reader: Reader, { places: [place] }: Instruction): number =>
  place ? reader(place.box.decl.name, place.at) : 0;

/**
 * How a turn looks: what it does at either end of each loop in it, and how often these go round. Turns of one form take the same time, and
 * those of one shape as much longer as their loops go round more often.
 */
export type Form = {
  readonly shape: string;
  readonly rounds: readonly number[];
  /** Instructions that it issues, besides numbers read. */
  readonly instructions: number;
};

/** The forms of the turns of those of a part's outermost loops that count, in order. Turns under different conditions are of different forms. */
export const formsOf = (
  part: PreparedPart,
  env: Env,
  reader: Reader,
  counted: readonly Loop[],
  conditionsOf: (round: number) => string,
): readonly Form[] => {
  const short = shortener();
  return eachTurn(part.body, env, reader, counted, (body, round) => {
    const rounds: number[] = [];
    let [shape, instructions] = [`${conditionsOf(round)}: `, 0];
    sketch(body, env, {
      loop: (turns) => {
        shape += turns > 2 ? "*" : turns;
        rounds.push(turns);
      },
      instruction: (it, times) => {
        if (it.operation.stmt.kind !== "read") instructions += times;
        for (const { size } of it.places) shape += `${size.join("x")},`;
        return answerOf(reader, it);
      },
    });
    return { shape: short(shape), rounds, instructions };
  });
};

/** Gives equal texts equal short names. */
export function shortener(): (text: string) => string {
  const names = new Map<string, string>();
  return (text) => {
    const known = names.get(text) ?? `${names.size}`;
    names.set(text, known);
    return known;
  };
}

/** What an instruction answers that is not carried out: to a `read`, the number read. */
export const answerOf = (reader: Reader, it: Instruction): number | undefined =>
  it.operation.stmt.kind === "read" ? readBy(reader, it) : undefined;

/** What `look` finds in each turn of the loops that count, and its number among the turns of all outermost loops. */
function eachTurn<T>(
  body: readonly Prepared[],
  env: Env,
  reader: Reader,
  counted: readonly Prepared[],
  look: (body: readonly Prepared[], round: number) => T,
): readonly T[] {
  const turns: T[] = [];
  let round = 0;
  for (const it of body) {
    const own = it.kind === "loop" ? turnsOf(it, env) : [];
    if (it.kind === "loop" && counted.includes(it))
      own.forEach((i, at) => {
        env[it.slot] = i;
        turns.push(look(it.body, round + at));
      });
    else sketch([it], env, { instruction: (of) => answerOf(reader, of) }); // its names are known to what follows
    round += own.length;
  }
  return turns;
}
