import type { Extent } from "../boxes.ts";

/** The first box of an array of some sizes that none of some boxes covers. */
export const firstGap = (dims: readonly number[], boxes: readonly Extent[]): Extent | undefined =>
  gapFrom(0, dims, boxes);

/** The same along an axis and those behind it: the axis is cut where boxes begin and end, and what covers a slab is looked at along the next. */
function gapFrom(axis: number, dims: readonly number[], boxes: readonly Extent[]): Extent | undefined {
  const length = dims[axis];
  if (boxes.some((it) => isWhole(it, axis, dims))) return undefined;
  if (length === undefined) return { at: [], size: [] };
  const begin = ({ at }: Extent): number => at[axis] ?? 0;
  const end = ({ at, size }: Extent): number => (at[axis] ?? 0) + (size[axis] ?? 0);
  const ahead = boxes.toSorted((a, b) => begin(b) - begin(a));
  let open: Extent[] = [];
  for (let from = 0, to = 0; from < length; from = to) {
    for (let it = ahead.at(-1); it && begin(it) <= from; it = ahead.at(-1)) {
      ahead.pop();
      open.push(it);
    }
    open = open.filter((it) => end(it) > from);
    const next = ahead.at(-1);
    to = open.reduce((least, it) => Math.min(least, end(it)), next ? Math.min(length, begin(next)) : length);
    const inner = gapFrom(axis + 1, dims, open);
    if (inner) return { at: [from, ...inner.at], size: [to - from, ...inner.size] };
  }
  return undefined;
}

/** Whether a box is an array's whole length along an axis and all behind it. */
function isWhole({ at, size }: Extent, axis: number, dims: readonly number[]): boolean {
  for (let i = axis; i < dims.length; i++)
    if ((at[i] ?? 0) > 0 || (at[i] ?? 0) + (size[i] ?? 0) < (dims[i] ?? 0)) return false;
  return true;
}
