/** What the groups of a launch touch of the tensors that they may write: all groups are walked through, each of their turns. */
import type { Profile } from "../../profile.ts";
import { beginnings, coresAt, type Core } from "../../schedule/cores.ts";
import type { PreparedPart } from "../../schedule/prepare.ts";
import { walk, type Instruction, type Place } from "../../schedule/walk.ts";
import { joined, type Extent } from "../boxes.ts";
import { numbersRead } from "../numbers-read.ts";
import type { Trial } from "../verify.ts";
import { isSeen, outward } from "./outward.ts";

/** What a group touches of a tensor. */
export type Touch = Extent & {
  readonly group: number;
  readonly writes: boolean;
  readonly adds: boolean;
  readonly it: Instruction;
};

/** What all groups touch of each tensor that others see. */
export function touchesOf(
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
    const adds = stmt.kind === "copy" && stmt.add;
    add(own, { at: place.at, size: place.size, group, writes, adds, it });
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
  const outer = beginnings(parts.map(outward), profile, trial.sizes);
  for (let group = 0; group < profile.groups.value; group++)
    for (const core of coresAt(outer, group)) through(group, core);
  return found;
}

/** Adds to what was touched; boxes of one statement that lie one behind the other become one. */
function add(touches: Touch[], next: Touch): void {
  for (let last = touches.at(-1); last; last = touches.at(-1)) {
    const isAlike = last.group === next.group && last.it.operation === next.it.operation && last.writes === next.writes; // prettier-ignore
    const both = isAlike ? joined(last, next) : undefined;
    if (!both) break;
    touches.pop();
    next = { ...last, ...both };
  }
  touches.push(next);
}
