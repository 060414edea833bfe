/** A kernel's turns seen from afar: which are alike. */
import type { Env } from "../../schedule/expr.ts";
import type { Loop, Prepared, PreparedPart, Uses } from "../../schedule/prepare.ts";
import { sketch, turnsOf } from "../../schedule/walk.ts";
import { answerOf, type Reader } from "../reader.ts";
import { isSaying, remembering, said, say, usesOf } from "../reads/names.ts";

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

/** For any core of a part, the forms of the turns of those of its outermost loops that count, in order. Turns under different conditions are of different forms. */
export function formsOf(
  { body }: PreparedPart,
  reader: Reader,
  counted: readonly Loop[],
  conditionsOf: (round: number) => string,
): (env: Env) => readonly Form[] {
  const looks = new Map(counted.map((it) => [it, looking(it, reader)]));
  return (env) => {
    const short = shortener();
    const forms: Form[] = [];
    let round = 0;
    for (const it of body) {
      const turns = it.kind === "loop" ? turnsOf(it, env) : [];
      const look = it.kind === "loop" ? looks.get(it) : undefined;
      if (it.kind === "loop" && look)
        turns.forEach((i, at) => {
          env[it.slot] = i;
          const form = look(env);
          forms.push({ ...form, shape: short(`${conditionsOf(round + at)}: ${form.shape}`) });
        });
      else sketch([it], env, { instruction: (of) => answerOf(reader, of) }); // its names are known to what follows
      round += turns.length;
    }
    return forms;
  };
}

/** The form of a loop's turn, worked out once for equal sizes in it. */
export function looking({ body }: Loop, reader: Reader): (env: Env) => Form {
  const inputs = sizeInputs(body);
  const prefix = said(body, new Set(inputs)).steps;
  const short = shortener();
  const look = remembering(inputs, (env) => {
    const form = formOf(body, env, reader);
    return { ...form, shape: short(form.shape) };
  });
  return (env) => {
    for (const it of prefix) say(it, env, reader);
    return look(env);
  };
}

function formOf(body: readonly Prepared[], env: Env, reader: Reader): Form {
  const rounds: number[] = [];
  let [shape, instructions] = ["", 0];
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
  return { shape, rounds, instructions };
}

/** The slots, of names said at the beginning of a body or before it, that tell how often its loops go round and how large its boxes are. */
function sizeInputs(body: readonly Prepared[]): Uses {
  const [needs, own] = [new Set<number>(), new Set<number>()];
  const add = (slots: Uses): void => slots.forEach((it) => needs.add(it));
  const visit = (inside: readonly Prepared[]): void => {
    for (const it of inside.toReversed()) {
      if (it.kind === "operation") it.regions.forEach(({ uses }) => uses.size.forEach(add));
      else if (it.kind !== "let") {
        visit(it.body);
        add(it.uses);
        if (it.kind === "loop") [it.slot, it.turn].forEach((slot) => own.add(slot));
      }
      if (!isSaying(it)) continue;
      if (needs.has(it.slot)) add(usesOf(it));
      own.add(it.slot);
    }
  };
  visit(body.filter((it) => !isSaying(it)));
  return [...needs].filter((it) => !own.has(it));
}

/** Gives equal texts equal short names. */
export function shortener(): (text: string) => string {
  const names = new Map<string, string>();
  return (text) => {
    const known = names.get(text) ?? `${names.size}`;
    names.set(text, known);
    return known;
  };
}
