/** Copies from memory, each with the loops around it: which of these go over what it reads, and which come back to it. */
import type { Loop, Operation, Prepared, PreparedPart, Uses } from "../../schedule/prepare.ts";
import { isBrought, type Brought } from "./brought.ts";
import { readUses, said, tensorOf, usesOf, type Said } from "./names.ts";

/**
 * How a loop stands to a copy in it:
 * - again: its turns read the same box;
 * - even: its turns read boxes in a row, of one size but for the last;
 * - uneven: turns at its beginning and its end may read less or more, as where a pipeline fills and drains.
 */
export type Way = "again" | "even" | "uneven";

/** What is gone through on the way to a copy, outermost first. */
export type Step =
  | { readonly kind: "loop"; readonly loop: Loop; readonly way: Way }
  | Extract<Prepared, { kind: "if" }>
  | Said;

export type Nest = {
  readonly copy: Operation;
  /** Behind what stands at the beginning of the outermost loop's body, for all of its copies. */
  readonly steps: readonly Step[];
  /** Of the axes of what it reads, those of which only the first place counts: it begins at one throughout the turn, or is one element wide. */
  readonly isFixed: readonly boolean[];
  /** Whether it begins elsewhere later on one of these. */
  readonly wanders: boolean;
  /** Slots from outside of these steps that tell what it reads, but for where it begins on those axes. */
  readonly inputs: Uses;
  /** It begins at numbers that a buffer holds, which its place in the buffer does not tell: each time somewhere else. */
  readonly isScattered: boolean;
  /** Other cores of the group have read it before, and it awaits that. */
  readonly isBrought: boolean;
};

/** An outermost loop: what its turns work out first, and the copies from memory in it. */
export type Outline = {
  readonly loop: Loop;
  readonly prefix: readonly Said[];
  readonly nests: readonly Nest[];
};

/** Whether work of a turn is of earlier turns' tiles, so that the first and the last have less of it: it looks back, or awaits other cores. */
const looksBack = (body: readonly Prepared[]): boolean =>
  body.some((it) => {
    if (it.kind === "let") return false;
    if (it.kind !== "operation") return looksBack(it.body);
    return it.stmt.kind === "await" || it.regions.some(({ back }) => back > 0);
  });

/** A copy on the way out of the loops around it: what stands before it in its body, the steps so far, the slots that they hang on, and those that tell whether and how often they are taken. */
type Found = {
  readonly copy: Operation;
  readonly before: readonly Prepared[];
  readonly steps: readonly Step[];
  readonly needs: ReadonlySet<number>;
  readonly bounds: ReadonlySet<number>;
};

/** The copies of a body, each with what stands before it there and tells what it reads. */
const copiesOf = (body: readonly Prepared[]): readonly Found[] =>
  body.flatMap((it, i) => {
    const before = body.slice(0, i);
    return copiesIn(it, before).map((found) => behind(before, found));
  });

function copiesIn(it: Prepared, before: readonly Prepared[]): readonly Found[] {
  switch (it.kind) {
    case "let":
      return [];
    case "operation":
      return tensorOf(it) === undefined
        ? []
        : [{ copy: it, before, steps: [], needs: new Set(readUses(it)), bounds: new Set() }];
    case "if":
      return copiesOf(it.body).map((found) => within(it, it.uses, found));
    case "loop":
      return copiesOf(it.body).map((found) =>
        within({ kind: "loop", loop: it, way: wayOf(it, found) }, it.uses, found),
      );
  }
}

function wayOf(loop: Loop, { needs, bounds }: Found): Way {
  const isIn = (slots: ReadonlySet<number>): boolean => slots.has(loop.slot) || slots.has(loop.turn);
  if (!isIn(needs)) return "again";
  return isIn(bounds) || looksBack(loop.body) ? "uneven" : "even";
}

const within = (step: Step, uses: Uses, found: Found): Found => ({
  ...found,
  steps: [step, ...found.steps],
  needs: new Set([...found.needs, ...uses]),
  bounds: new Set([...found.bounds, ...uses]),
});

/** Behind those of the statements before it that say what it needs. */
function behind(before: readonly Prepared[], found: Found): Found {
  const { steps, needs } = said(before, found.needs);
  return { ...found, steps: [...steps, ...found.steps], needs, bounds: said(before, found.bounds).needs };
}

const slotsOf = (it: Step): readonly number[] =>
  it.kind === "loop" ? [it.loop.slot, it.loop.turn] : it.kind === "if" ? [] : [it.slot];

/** What the outermost loops of a part read, of which cores beside it bring so much into the cache. */
export const outlinesOf = ({ core, body }: PreparedPart, brought: Brought): readonly Outline[] =>
  body.flatMap((it) => (it.kind === "loop" ? [outlineOf(core, it, brought)] : []));

function outlineOf(core: string, loop: Loop, brought: Brought): Outline {
  const found = loop.body.flatMap((it, i) => copiesIn(it, loop.body.slice(0, i)));
  const needs = new Set(found.flatMap((it) => [...it.needs]));
  const nests = found.map((it) => ({
    ...nestOf(it),
    isBrought: isBrought(core, it.copy, it.before, brought),
  }));
  return { loop, prefix: said(loop.body, needs).steps, nests };
}

function nestOf({ copy, steps }: Found): Omit<Nest, "isBrought"> {
  const own = new Set(steps.flatMap(slotsOf));
  const { uses, isOne } = copy.regions[0] ?? { uses: { at: [], size: [] }, isOne: [] };
  const { at, size } = uses;
  const stays = at.map((of) => of.every((it) => !own.has(it)));
  // Rows that are read wherever numbers say lie apart.
  const isTold = steps.every((it) => it.kind !== "operation");
  const isFixed = stays.map((it, axis) => it || (isTold && isOne[axis] === true));
  const needs = new Set([...size.flat(), ...at.filter((_, axis) => isFixed[axis] === false).flat()]);
  for (const it of steps.toReversed()) {
    const more = it.kind === "loop" ? it.loop.uses : it.kind === "if" ? it.uses : needs.has(it.slot) ? usesOf(it) : []; // prettier-ignore
    for (const slot of more) needs.add(slot);
  }
  const isScattered = steps.some((it) => isOfBuffer(it) && needs.has(it.slot));
  return {
    copy,
    steps: isScattered ? steps.map(neverAgain) : steps,
    isFixed,
    wanders: isFixed.some((it, axis) => it && stays[axis] === false),
    inputs: [...needs].filter((it) => !own.has(it)),
    isScattered,
  };
}

/** Whether it reads a number of a buffer. */
const isOfBuffer = (it: Step): it is Operation =>
  it.kind === "operation" && it.regions[0]?.box.kind === "buffer";

const neverAgain = (it: Step): Step =>
  it.kind === "loop" && it.way === "again" ? { ...it, way: "even" } : it;

/** Under what name a copy's bytes are counted: what other cores bring of a tensor is apart from what misses. */
export const countedAs = ({ copy, isBrought: isThere }: Nest): string =>
  `${tensorOf(copy)}${isThere ? " brought" : ""}`;

/** The loops around a copy whose turns come back to what it reads. */
export const againLoops = ({ steps }: Nest): readonly Loop[] =>
  steps.flatMap((it) => (it.kind === "loop" && it.way === "again" ? [it.loop] : []));
