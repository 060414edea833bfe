/**
 * What all cores of a launch read by one statement, as boxes. Axes that go their own ways are followed apart, each by the loops that it hangs on; where what
 * decides stands as it stood before, nothing new is read, and no turn is taken.
 */
import type { Core } from "../../schedule/cores.ts";
import type { Env } from "../../schedule/expr.ts";
import { ownNames } from "../../schedule/kernel.ts";
import type { PreparedPart } from "../../schedule/prepare.ts";
import { boundsOf } from "../../schedule/walk.ts";
import { remembering } from "../../simulate/reads/names.ts";
import { joined, type Extent } from "../boxes.ts";
import { factorsOf, type Factor, type Read, type Step } from "./reads.ts";

/** The boxes that a statement reads, along some axes of its tensor that are known. */
export function boxesRead(read: Read, axes: readonly number[], cores: readonly Core[]): readonly Extent[] {
  const factors = factorsOf(read, axes);
  const none: readonly Extent[] = [{ at: [], size: [] }];
  const boxes = factors.reduce((all, it) => {
    const along = boxesAlong(read, it, cores);
    return all.flatMap((box) => along.map(({ at, size }): Extent => ({ at: [...box.at, ...at], size: [...box.size, ...size] }))); // prettier-ignore
  }, none);
  const order = factors.flatMap((it) => it.axes);
  const places = axes.map((axis) => order.indexOf(axis));
  const sorted = (of: readonly number[]): readonly number[] => places.map((i) => of[i] ?? 0);
  return boxes.map(({ at, size }) => ({ at: sorted(at), size: sorted(size) }));
}

/** The same along axes that belong together. */
function boxesAlong(
  { part, region }: Read,
  { axes, steps, slots }: Factor,
  cores: readonly Core[],
): readonly Extent[] {
  const boxes: Extent[] = [];
  const varying = varyingSlots(part, steps);
  /** Not again where what decides all from a step on is as it was before; it never is where the loop around it counts through it. */
  const once = (i: number, go: Going): Going => {
    const by = decisive(steps.slice(i), slots).filter((slot) => varying.has(slot));
    const around = steps.slice(0, i).findLast((it) => it.kind === "loop");
    return around && by.includes(around.slot) ? go : remembering(by, go);
  };
  const alongAxes = (of: readonly number[]): readonly number[] => axes.map((axis) => of[axis] ?? 0);
  const add: Going = (env) => {
    const [at, size] = [alongAxes(region.at(env)), alongAxes(region.size(env))];
    if (size.every((n) => n > 0)) boxes.push({ at, size });
  };
  const go = steps.reduceRight<Going>((next, it, i) => (it.kind === "loop" ? once(i, through(it, next)) : through(it, next)), once(steps.length, add)); // prettier-ignore
  for (const { env } of cores) go(env);
  // Along a single axis they are few once they are in order, and so is what they make with those along others.
  return inRow(axes.length > 1 ? boxes : boxes.toSorted((a, b) => (a.at[0] ?? 0) - (b.at[0] ?? 0)));
}

/** Goes on from a step of a way to its end. */
type Going = (env: Env) => void;

/** A step, and what comes behind it. */
function through(it: Step, next: Going): Going {
  switch (it.kind) {
    case "let":
      return (env) => {
        env[it.slot] = it.value(env);
        next(env);
      };
    case "if":
      return (env) => {
        if (it.when(env) !== 0) next(env);
      };
    case "loop":
      return (env) => {
        const { first, by, turns } = boundsOf(it, env);
        for (let turn = 0; turn < turns; turn++) {
          env[it.slot] = first + turn * by;
          next(env);
        }
      };
  }
}

/** The slots that do not hold the same throughout a launch. */
function varyingSlots({ known }: PreparedPart, steps: readonly Step[]): ReadonlySet<number> {
  const found = new Set([...known].flatMap(([name, slot]) => (ownNames.has(name) ? [slot] : [])));
  for (const it of steps)
    if (it.kind === "loop" || (it.kind === "let" && it.uses.some((slot) => found.has(slot))))
      found.add(it.slot);
  return found;
}

/** The slots that decide what steps and what comes behind them do. */
function decisive(steps: readonly Step[], slots: readonly number[]): readonly number[] {
  const needs = new Set(slots);
  for (const it of steps.toReversed()) {
    if (it.kind !== "if") needs.delete(it.slot);
    it.uses.forEach((slot) => needs.add(slot));
  }
  return [...needs];
}

/** Boxes with those as one that come one behind the other. */
function inRow(boxes: readonly Extent[]): readonly Extent[] {
  const made: Extent[] = [];
  for (let next of boxes) {
    for (let last = made.at(-1); last; last = made.at(-1)) {
      const both = joined(last, next);
      if (!both) break;
      made.pop();
      next = both;
    }
    made.push(next);
  }
  return made;
}
