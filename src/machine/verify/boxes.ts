/** Boxes: half-open ranges, one an axis. */
export type Extent = { readonly at: readonly number[]; readonly size: readonly number[] };

/** Whether two boxes of one array share an element. */
export const overlap = (a: Extent, b: Extent): boolean =>
  a.at.every((from, i) => {
    const other = b.at[i] ?? 0;
    return from < other + (b.size[i] ?? 0) && other < from + (a.size[i] ?? 0);
  });

/** Whether `inner` lies within `outer`. */
export const within = (inner: Extent, outer: Extent): boolean =>
  inner.at.every((from, i) => {
    const start = outer.at[i] ?? 0;
    return from >= start && from + (inner.size[i] ?? 0) <= start + (outer.size[i] ?? 0);
  });
