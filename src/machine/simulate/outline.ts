/** A kernel's turns seen from afar: which are alike, and what each reads of global memory. */
import { dtypes } from "../../tensor/dtype.ts";
import type { Env } from "../schedule/expr.ts";
import type { Loop, Prepared, PreparedPart } from "../schedule/prepare.ts";
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

/** The forms of the turns of a part's outermost loops, or of those that count, in order. */
export const formsOf = (
  part: PreparedPart,
  env: Env,
  reader: Reader,
  counted: readonly Loop[],
): readonly string[] => turnsOfPart(part.body, env, reader, 1, counted).map((it) => it.form);

/** Turns at either end of loops that are looked at for what they read: those in which pipelines fill and drain read less. */
const ends = 4;

/** What the turns of a part's outermost loops read of memory. */
export const readings = (part: PreparedPart, env: Env, reader: Reader): readonly (readonly Span[])[] => {
  const body = readsOf(part.body);
  return turnsOfPart(body, env, reader, ends, body.filter((it) => it.kind === "loop")).map((it) => it.spans); // prettier-ignore
};

/** The statements of a body that read tensors, and those that say which turns do. */
const readsOf = (body: readonly Prepared[]): readonly Prepared[] =>
  body.flatMap((it): readonly Prepared[] => {
    if (it.kind === "let") return [it];
    if (it.kind === "operation")
      return it.stmt.kind === "read" || (it.stmt.kind === "copy" && it.regions[0]?.box.kind === "tensor")
        ? [it]
        : [];
    const inside = readsOf(it.body);
    return inside.some((of) => of.kind !== "let") ? [{ ...it, body: inside }] : [];
  });

/** One turn of an outermost loop: turns of one form take the same time. */
type TurnOutline = { readonly form: string; readonly spans: readonly Span[] };

function turnsOfPart(
  body: readonly Prepared[],
  env: Env,
  reader: Reader,
  near: number,
  counted: readonly Prepared[],
): readonly TurnOutline[] {
  const turns: TurnOutline[] = [];
  const look = (inside: readonly Prepared[]): TurnOutline => {
    const spans = new Map<string, Span>();
    let form = "";
    const steps = sketch(inside, env, near);
    for (let step = steps.next(); !step.done;) {
      const { instruction, times } = step.value;
      const { kind } = instruction.operation.stmt;
      form += `${times} `;
      for (const { size } of instruction.places) form += `${size.join("x")},`;
      if (kind === "copy") include(spans, instruction, times);
      step = steps.next(kind === "read" ? readBy(reader, instruction) : undefined);
    }
    return { form, spans: [...spans.values()] };
  };
  for (const it of body) {
    if (it.kind !== "loop" || !counted.includes(it)) {
      look([it]); // its names are known to what follows
      continue;
    }
    for (const i of turnsOf(it, env)) {
      env[it.slot] = i;
      turns.push(look(it.body));
    }
  }
  return turns;
}

function include(spans: Map<string, Span>, { places: [source] }: Instruction, times: number): void {
  if (source?.box.kind !== "tensor" || source.box.decl.role === "shared") return;
  const { name, dtype } = source.box.decl;
  const { bits } = dtypes[dtype];
  const end = source.at.map((n, i) => n + (source.size[i] ?? 1));
  const bytes = times * bytesOf(source);
  const known = spans.get(name);
  if (!known) return void spans.set(name, { tensor: name, bytes, low: [...source.at], high: end, bits });
  known.bytes += bytes;
  for (let i = 0; i < end.length; i++) {
    known.low[i] = Math.min(known.low[i] ?? 0, source.at[i] ?? 0);
    known.high[i] = Math.max(known.high[i] ?? 0, end[i] ?? 0);
  }
}
