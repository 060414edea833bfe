/**
 * What all cores of a launch read by one statement, as boxes. Axes that go their own ways are followed apart, each by the loops that it hangs on; where what
 * decides stands as it stood before, nothing new is read, and no turn is taken.
 */
import type { Core } from "../../schedule/cores.ts";
import type { Env } from "../../schedule/expr.ts";
import { boundsOf } from "../../schedule/walk.ts";
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
  { region }: Read,
  { axes, steps, slots }: Factor,
  cores: readonly Core[],
): readonly Extent[] {
  const boxes: Extent[] = [];
  const isNew = [...steps, undefined].map((_, i) => newness(steps, i, slots));
  const alongAxes = (of: readonly number[]): readonly number[] => axes.map((axis) => of[axis] ?? 0);
  const add = (env: Env): void => {
    const [at, size] = [alongAxes(region.at(env)), alongAxes(region.size(env))];
    if (size.every((n) => n > 0)) boxes.push({ at, size });
  };
  const follow = (env: Env, from: number): void => {
    for (let i = from; ; i++) {
      const it = steps[i];
      if (it?.kind === "let") env[it.slot] = it.value(env);
      else if (it?.kind === "if") {
        if (it.when(env) === 0) return;
      } else {
        if (isNew[i]?.(env) !== true) return;
        if (!it) return add(env);
        const { first, by, turns } = boundsOf(it, env);
        for (let turn = 0; turn < turns; turn++) {
          env[it.slot] = first + turn * by;
          follow(env, i + 1);
        }
        return;
      }
    }
  };
  for (const { env } of cores) follow(env, 0);
  // Along a single axis they are few once they are in order, and so is what they make with those along others.
  return inRow(axes.length > 1 ? boxes : boxes.toSorted((a, b) => (a.at[0] ?? 0) - (b.at[0] ?? 0)));
}

/** Tells whether what decides all from a step on is what it never was before. It is where the loop around the step counts through it. */
function newness(steps: readonly Step[], i: number, slots: readonly number[]): (env: Env) => boolean {
  const by = decisive(steps.slice(i), slots);
  const around = steps.slice(0, i).findLast((it) => it.kind === "loop");
  if (around && by.includes(around.slot)) return () => true;
  const seen = new Set<string>();
  return (env) => {
    let key = "";
    for (const slot of by) key += `${env[slot]},`;
    const before = seen.size;
    return seen.add(key).size > before;
  };
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
