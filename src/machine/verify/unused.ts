/**
 * Whether operands that are passed on from buffer to buffer piece by piece, as those of products, are passed on whole: where some of one is and some is not, a
 * loop over it ends too early. What vector units take of a buffer may be less than was brought: rows of tables are brought with what fills them up.
 */
import { diag, type Diagnostic } from "../../support/diagnostics.ts";
import type { Profile } from "../profile.ts";
import { coresIn, type Core } from "../schedule/cores.ts";
import type { Kernel } from "../schedule/kernel.ts";
import type { Box, PreparedPart } from "../schedule/prepare.ts";
import { printStmt } from "../schedule/printer.ts";
import { walk, type Instruction, type Place, type Turn } from "../schedule/walk.ts";
import { overlap, textOf, without, type Extent } from "./boxes.ts";
import { numbersRead } from "./numbers-read.ts";
import { operations } from "./operations.ts";
import type { Trial } from "./verify.ts";

/** What is left of a box that a copy brought. */
type Left = Extent & { readonly it: Instruction; readonly of: Place; readonly isPart: boolean };

/**
 * The first box that a core of each kind in the first group brings and uses in part. One that nobody uses at all is no fault: cores without work have brought
 * what they would have needed.
 */
export const unusedFaults = (
  kernel: Kernel,
  parts: readonly PreparedPart[],
  profile: Profile,
  trial: Trial,
): readonly Diagnostic[] =>
  coresIn(parts, profile, trial.sizes, 0)
    .filter((core) => core.index === 0)
    .flatMap((core) => {
      const left = firstLeft(core, trial);
      if (!left) return [];
      const box = textOf(left.of.box.decl.name, left);
      return [
        diag("schedule/unused", undefined, kernel.name, printStmt(left.it.operation.stmt, kernel), box),
      ];
    });

function firstLeft(core: Core, trial: Trial): Left | undefined {
  const numbers = numbersRead(trial.reader?.(trial.sizes) ?? (() => 0));
  const leavingOut = turnsLeftOut(core.part);
  const held = holdings(core.part);
  const steps = walk(core.part.body, core.env);
  let answer: number | undefined;
  for (let it = steps(undefined); it; it = steps(answer)) {
    if (it.kind === "turn") {
      answer = leavingOut(it);
      if (answer > 0) held.forget();
      continue;
    }
    answer = numbers(core, it);
    const left = held.pass(it);
    if (left) return left;
  }
  return held.left();
}

/** Turns of outermost loops at either end that are followed. */
const followed = 2;

/** How many turns to leave out: those of outermost loops do alike, so that the first and the last tell. */
function turnsLeftOut({ body }: PreparedPart): (turn: Turn) => number {
  const outermost = new Set(body.flatMap((it) => (it.kind === "loop" ? [it] : [])));
  return ({ loop, index, left }) =>
    outermost.has(loop) && index === Math.max(followed, loop.period) ? Math.max(0, left - followed) : 0;
}

/** The buffers of a part's loops that copies into other buffers alone take from. What stands in no loop is used by turns that are left out. */
function passedOn({ body, buffers, loops }: PreparedPart): ReadonlySet<Box> {
  const turns = new Set(loops.map((it) => it.turn));
  const otherwise = new Set(
    operations(body).flatMap(({ stmt, regions }) => {
      const boxes = regions.map(({ box }) => box);
      if (stmt.kind === "read") return boxes;
      return stmt.kind === "copy" && boxes.at(-1)?.kind === "buffer" ? [] : boxes.slice(0, -1);
    }),
  );
  return new Set(buffers.filter((it) => turns.has(it.turn) && !otherwise.has(it)));
}

/** What of boxes brought into such buffers nothing has used yet. */
function holdings(part: PreparedPart) {
  const all = new Map<Box, Map<number, readonly Left[]>>();
  const passed = passedOn(part);
  const change = ({ box, copy }: Place, by: (held: readonly Left[]) => readonly Left[]): void => {
    const copies = all.get(box) ?? new Map<number, readonly Left[]>();
    all.set(box, copies.set(copy, by(copies.get(copy) ?? [])));
  };
  const use = (place: Place): void =>
    change(place, (held) => held.flatMap((it) => (overlap(it, place) ? without(it, place).map((rest): Left => ({ ...it, ...rest, isPart: true })) : [it]))); // prettier-ignore
  /** Puts something else in a place; what was there and used in part. */
  const replace = (place: Place, it: Instruction): Left | undefined => {
    const before = all.get(place.box)?.get(place.copy) ?? [];
    const isBrought = it.operation.stmt.kind === "copy";
    change(place, (held) => [
      ...held.filter((of) => !overlap(of, place)),
      ...(isBrought ? [{ at: place.at, size: place.size, it, of: place, isPart: false }] : []),
    ]);
    return before.find((of) => of.isPart && overlap(of, place));
  };
  return {
    forget: () => all.clear(),
    pass: (it: Instruction): Left | undefined => {
      const { stmt } = it.operation;
      const result = stmt.kind === "read" ? undefined : it.places.at(-1);
      const keepsResult = stmt.kind === "matmul" && it.values[0] === 0;
      let left: Left | undefined;
      for (const place of it.places) {
        if (!passed.has(place.box)) continue;
        if (place !== result || keepsResult) use(place);
        if (place === result) left = replace(place, it);
      }
      return left;
    },
    left: () => [...all.values()].flatMap((copies) => [...copies.values()].flat()).find((it) => it.isPart),
  };
}
