/**
 * Whether groups meet. Nothing orders the groups of a launch, so where one writes a tensor no other may write or read, unless both add. All groups are
 * walked through, each of their turns: two that meet need not be neighbours, nor the first or the last.
 */
import { diag, type Diagnostic } from "../../support/diagnostics.ts";
import type { Profile } from "../profile.ts";
import { coresIn, type Core } from "../schedule/cores.ts";
import type { Kernel } from "../schedule/kernel.ts";
import type { PreparedPart } from "../schedule/prepare.ts";
import { printStmt } from "../schedule/printer.ts";
import { walk, type Instruction, type Place } from "../schedule/walk.ts";
import { overlap, type Extent } from "./boxes.ts";
import { numbersRead } from "./numbers-read.ts";
import { outward } from "./outward.ts";
import type { Trial } from "./verify.ts";

/** What a group touches of a tensor. */
type Touch = Extent & {
  readonly group: number;
  readonly writes: boolean;
  readonly adds: boolean;
  readonly it: Instruction;
};

/** The first place of each tensor at which two groups meet. */
export function groupFaults(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  profile: Profile,
  trial: Trial,
): readonly Diagnostic[] {
  return [...touchesOf(parts.map(outward), profile, trial)].flatMap(([tensor, touches]) => {
    const met = firstMeeting(touches);
    if (!met) return [];
    const [first, second] = met.map(({ it }) => printStmt(it.operation.stmt, kernel));
    const code = met.every((it) => it.writes) ? "schedule/two-writers" : "schedule/race";
    return [diag(code, undefined, kernel.name, first ?? "", second ?? "", tensor)];
  });
}

/** What all groups touch of each tensor that any of them may write. */
function touchesOf(
  parts: readonly PreparedPart[],
  profile: Profile,
  trial: Trial,
): ReadonlyMap<string, readonly Touch[]> {
  const found = new Map<string, Touch[]>();
  const numbers = numbersRead(trial.reader?.(trial.sizes) ?? (() => 0));
  const touch = (group: number, it: Instruction, place: Place | undefined, writes: boolean): void => {
    if (place?.box.kind !== "tensor" || !isSeen(place.box.decl.role)) return;
    const { stmt } = it.operation;
    const own = found.get(place.box.decl.name) ?? [];
    found.set(place.box.decl.name, own);
    own.push({ at: place.at, size: place.size, group, writes, adds: stmt.kind === "copy" && stmt.add, it });
  };
  const through = (group: number, core: Core): void => {
    const steps = walk(core.part.body, core.env);
    let answer: number | undefined;
    for (let it = steps(undefined); it; it = steps(answer)) {
      answer = undefined;
      if (it.kind === "turn") continue;
      const isCopy = it.operation.stmt.kind === "copy";
      touch(group, it, it.places[0], false);
      if (isCopy) touch(group, it, it.places[1], true);
      answer = numbers(core, it);
    }
  };
  for (let group = 0; group < profile.groups.value; group++)
    for (const core of coresIn(parts, profile, trial.sizes, group)) through(group, core);
  return found;
}

/** Whether groups see what others write of a tensor: nobody writes what is only read, and scratch is a group's own. */
const isSeen = (role: "in" | "out" | "inout" | "shared"): boolean => role === "out" || role === "inout";

const areAtOdds = (a: Touch, b: Touch): boolean =>
  a.group !== b.group && (a.writes || b.writes) && !(a.adds && b.adds) && overlap(a, b);

/** Two groups that meet in a tensor. Boxes are swept over along the axis on which they differ most, so that few are held against one another. */
function firstMeeting(touches: readonly Touch[]): readonly [Touch, Touch] | undefined {
  const axis = widestAxis(touches);
  const start = ({ at }: Touch): number => at[axis] ?? 0;
  let open: Touch[] = [];
  for (const next of touches.toSorted((a, b) => start(a) - start(b))) {
    open = open.filter((it) => start(it) + (it.size[axis] ?? 0) > start(next));
    const other = open.find((it) => areAtOdds(it, next));
    if (other) return [other, next];
    open.push(next);
  }
  return undefined;
}

/** The axis along which boxes begin at most places. */
function widestAxis(touches: readonly Touch[]): number {
  const axes = touches[0]?.at.length ?? 0;
  const places = Array.from({ length: axes }, (_, axis) => new Set(touches.map(({ at }) => at[axis])).size);
  return places.indexOf(Math.max(...places));
}
