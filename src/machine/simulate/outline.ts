/** A kernel's turns seen from afar: which are alike, and what each reads of global memory. */
import { dtypes } from "../../tensor/dtype.ts";
import type { Env } from "../schedule/expr.ts";
import type { Loop, Operation, Prepared, PreparedPart } from "../schedule/prepare.ts";
import { bytesOf } from "./cost.ts";
import { sketch, turnsOf, type Instruction } from "../schedule/walk.ts";

/** The number that a `read` finds in a tensor or buffer; timing has no data, so its caller says what there would be. */
export type Reader = (box: string, at: readonly number[]) => number;

/** A box of a tensor, the bounds of all that a turn reads of it, and the bytes that it reads, again where it comes back. */
export type Span = {
  readonly tensor: string;
  bytes: number;
  readonly low: number[];
  readonly high: number[];
  readonly bits: number;
};

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

/** The forms of the turns of a part's outermost loops, or of those that count, in order. */
export const formsOf = (
  part: PreparedPart,
  env: Env,
  reader: Reader,
  counted: readonly Loop[],
): readonly Form[] => {
  const short = shortener();
  return eachTurn(part.body, env, reader, counted, (body) => {
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

/**
 * Turns at either end of uneven loops that are looked at for what they read: those in which pipelines fill and drain read less, and those
 * that begin and end sums may read part by part.
 */
const ends = 4;

/** Whether turns may differ in what they read of it: by a condition, or by how often a loop in them goes round. */
const varies = (body: readonly Prepared[]): boolean =>
  body.some((it) => it.kind === "if" || it.kind === "loop");

/** Whether work of a turn is of earlier turns' tiles, so that the first and the last have less of it: it looks back, or awaits other cores. */
const looksBack = (body: readonly Prepared[]): boolean =>
  body.some((it) => {
    if (it.kind === "let") return false;
    if (it.kind !== "operation") return looksBack(it.body);
    return it.stmt.kind === "await" || it.regions.some(({ back }) => back > 0);
  });

/** What the turns of a part's outermost loops read of memory. */
export const readings = (part: PreparedPart, env: Env, reader: Reader): readonly (readonly Span[])[] => {
  const uneven = new Set<Loop>();
  const body = readsOf(part.body, uneven);
  return eachTurn(body, env, reader, body.filter((it) => it.kind === "loop"), (inside) => {
    const spans: Span[] = [];
    sketch(inside, env, {
      ends: (loop) => (uneven.has(loop) ? ends : 1),
      instruction: (it, times) => {
        if (it.operation.stmt.kind === "copy") include(spans, it, times);
        return answerOf(reader, it);
      },
    });
    return spans;
  }); // prettier-ignore
};

/** Whether it copies from a tensor; scratch does not leave the cache. */
const isFromMemory = ({ stmt, regions: [source] }: Operation): boolean =>
  stmt.kind === "copy" && source?.box.kind === "tensor" && source.box.decl.role !== "shared";

/** The statements of a body that read tensors, and those that say which turns do; loops whose ends differ from their middle become known as `uneven`. */
const readsOf = (body: readonly Prepared[], uneven: Set<Loop>): readonly Prepared[] =>
  body.flatMap((it): readonly Prepared[] => {
    if (it.kind === "let") return [it];
    if (it.kind === "operation")
      return it.stmt.kind === "read" ? [it] : isFromMemory(it) ? [{ ...it, regions: it.regions.slice(0, 1) }] : []; // prettier-ignore
    const inside = readsOf(it.body, uneven);
    if (inside.every((of) => of.kind === "let")) return [];
    const kept = { ...it, body: inside };
    if (kept.kind === "loop" && (varies(inside) || looksBack(it.body))) uneven.add(kept);
    return [kept];
  });

const answerOf = (reader: Reader, it: Instruction): number | undefined =>
  it.operation.stmt.kind === "read" ? readBy(reader, it) : undefined;

/** What `look` finds in each turn of the loops that count. */
function eachTurn<T>(
  body: readonly Prepared[],
  env: Env,
  reader: Reader,
  counted: readonly Prepared[],
  look: (body: readonly Prepared[]) => T,
): readonly T[] {
  const turns: T[] = [];
  for (const it of body) {
    if (it.kind !== "loop" || !counted.includes(it)) {
      sketch([it], env, { instruction: (of) => answerOf(reader, of) }); // its names are known to what follows
      continue;
    }
    for (const i of turnsOf(it, env)) {
      env[it.slot] = i;
      turns.push(look(it.body));
    }
  }
  return turns;
}

function include(spans: Span[], { places: [source] }: Instruction, times: number): void {
  if (source?.box.kind !== "tensor") return;
  const { name, dtype } = source.box.decl;
  const { bits } = dtypes[dtype];
  const { at, size } = source;
  const bytes = times * bytesOf(source);
  const known = spans.find((it) => it.tensor === name);
  if (!known) {
    const high = at.map((n, i) => n + (size[i] ?? 1));
    return void spans.push({ tensor: name, bytes, low: [...at], high, bits });
  }
  known.bytes += bytes;
  for (let i = 0; i < at.length; i++) {
    const from = at[i] ?? 0;
    known.low[i] = Math.min(known.low[i] ?? 0, from);
    known.high[i] = Math.max(known.high[i] ?? 0, from + (size[i] ?? 1));
  }
}
