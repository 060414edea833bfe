/** Boxes: half-open ranges, one an axis. */
export type Extent = { readonly at: readonly number[]; readonly size: readonly number[] };

// Loops, not closures, in what following a kernel spends its time on.

/** Whether two boxes of one array share an element. */
export function overlap(a: Extent, b: Extent): boolean {
  for (let i = 0; i < a.at.length; i++) {
    const [from, other] = [a.at[i] ?? 0, b.at[i] ?? 0];
    if (from >= other + (b.size[i] ?? 0) || other >= from + (a.size[i] ?? 0)) return false;
  }
  return true;
}

/** Whether `inner` lies within `outer`. */
export function within(inner: Extent, outer: Extent): boolean {
  for (let i = 0; i < inner.at.length; i++) {
    const [from, start] = [inner.at[i] ?? 0, outer.at[i] ?? 0];
    if (from < start || from + (inner.size[i] ?? 0) > start + (outer.size[i] ?? 0)) return false;
  }
  return true;
}

/** Two boxes as one, where they are the same or the second begins where the first ends. */
export function joined(a: Extent, b: Extent): Extent | undefined {
  let along = -1;
  for (let i = 0; i < a.at.length; i++) {
    if (a.at[i] === b.at[i] && a.size[i] === b.size[i]) continue;
    if (along >= 0 || (a.at[i] ?? 0) + (a.size[i] ?? 0) !== b.at[i]) return undefined;
    along = i;
  }
  if (along < 0) return a;
  return { at: a.at, size: a.size.with(along, (a.size[along] ?? 0) + (b.size[along] ?? 0)) };
}

/** The rest of a box without another that it shares elements with, as boxes. */
export function without(a: Extent, b: Extent): readonly Extent[] {
  const rest: Extent[] = [];
  let inner = a;
  for (let i = 0; i < a.at.length; i++) {
    const [from, n] = [inner.at[i] ?? 0, inner.size[i] ?? 0];
    const begin = Math.max(from, b.at[i] ?? 0);
    const end = Math.min(from + n, (b.at[i] ?? 0) + (b.size[i] ?? 0));
    if (begin > from) rest.push({ at: inner.at, size: inner.size.with(i, begin - from) });
    if (end < from + n) rest.push({ at: inner.at.with(i, end), size: inner.size.with(i, from + n - end) });
    inner = { at: inner.at.with(i, begin), size: inner.size.with(i, end - begin) };
  }
  return rest;
}

/** A box of something as schedules write it. */
export const textOf = (name: string, { at, size }: Extent): string =>
  `${name}[${at.map((from, i) => `${from} : ${size[i]}`).join(", ")}]`;

/** How many elements a box has. */
export const volume = (size: readonly number[]): number => size.reduce((n, it) => n * it, 1);
