/** A kernel's turns seen from afar: which are alike, and what each reads of global memory. */
import { dtypes } from "../../tensor/dtype.ts";
import type { Env } from "../schedule/expr.ts";
import type { Prepared, PreparedPart } from "../schedule/prepare.ts";
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

/** One turn of an outermost loop: turns of one form take the same time. */
export type TurnOutline = { readonly form: string; readonly spans: readonly Span[] };

export const readBy = (reader: Reader, { places: [place] }: Instruction): number =>
  place ? reader(place.box.decl.name, place.at) : 0;

/** The turns of a part's outermost loops, in order. Loops inside are looked at in their first and last turn. */
export const outline = (part: PreparedPart, env: Env, reader: Reader): readonly TurnOutline[] =>
  turnsOfPart(part.body, env, reader);

/** As `outline`, for what the turns read of memory alone, which is quicker: their form is left empty. */
export const readings = (part: PreparedPart, env: Env, reader: Reader): readonly TurnOutline[] =>
  turnsOfPart(readsOf(part.body), env, reader).map(({ spans }) => ({ form: "", spans }));

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

function turnsOfPart(body: readonly Prepared[], env: Env, reader: Reader): readonly TurnOutline[] {
  const turns: TurnOutline[] = [];
  const look = (inside: readonly Prepared[]): TurnOutline => {
    const spans = new Map<string, Span>();
    let form = "";
    const steps = sketch(inside, env);
    for (let step = steps.next(); !step.done;) {
      const { instruction, times } = step.value;
      const { kind } = instruction.operation.stmt;
      for (const { size } of instruction.places) form += `${size.join("x")},`;
      if (kind === "copy") include(spans, instruction, times);
      step = steps.next(kind === "read" ? readBy(reader, instruction) : undefined);
    }
    return { form, spans: [...spans.values()] };
  };
  for (const it of body) {
    if (it.kind !== "loop") {
      look([it]);
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
