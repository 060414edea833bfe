/**
 * Whether groups meet. Nothing orders the groups of a launch, so where one writes a tensor no other may write or read, unless both add. Two that
 * meet need not be neighbours, nor the first or the last.
 */
import { overlap } from "../boxes.ts";
import type { Touch } from "./touches.ts";

const areAtOdds = (a: Touch, b: Touch): boolean =>
  a.group !== b.group && (a.writes || b.writes) && !(a.adds && b.adds) && overlap(a, b);

/** Two groups that meet in a tensor. Boxes are swept over along the axis on which they differ most, so that few are held against one another. */
export function firstMeeting(touches: readonly Touch[]): readonly [Touch, Touch] | undefined {
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
