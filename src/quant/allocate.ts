/** One way to store something: the bits it takes and the error it makes. */
export type Option = { readonly bits: number; readonly error: number };

/**
 * Choose one option for each of several things so that the errors together are least within a budget of bits, by Lagrange's multiplier:
 * from the cheapest options on, the step that saves most error a bit is taken first, along each thing's lower convex hull (Shoham
 * and Gersho 1988). Steps that the budget has no room for are passed over. Gives the index of each choice, or undefined where even
 * the cheapest do not fit.
 */
export function allocate(things: readonly (readonly Option[])[], budget: number): number[] | undefined {
  const hulls = things.map(lowerHull);
  const at = hulls.map(() => 0);
  const bitsOf = (thing: number, step: number): number => hulls[thing]?.[step]?.bits ?? 0;
  let spent = hulls.reduce((sum, _, i) => sum + bitsOf(i, 0), 0);
  if (spent > budget) return undefined;
  const closed = hulls.map(() => false);
  for (;;) {
    let [best, gain] = [-1, 0];
    hulls.forEach((hull, i) => {
      const [from, to] = [hull[at[i] ?? 0], hull[(at[i] ?? 0) + 1]];
      if (closed[i] || !from || !to) return;
      const slope = (from.error - to.error) / (to.bits - from.bits);
      if (slope > gain) [best, gain] = [i, slope];
    });
    if (best < 0) return hulls.map((hull, i) => hull[at[i] ?? 0]?.index ?? 0);
    const more = bitsOf(best, (at[best] ?? 0) + 1) - bitsOf(best, at[best] ?? 0);
    if (spent + more > budget) closed[best] = true;
    else {
      spent += more;
      at[best] = (at[best] ?? 0) + 1;
    }
  }
}

type Indexed = Option & { readonly index: number };

/** The options that some price a bit makes the best, by rising bits and falling error. */
function lowerHull(options: readonly Option[]): readonly Indexed[] {
  const sorted = options
    .map((it, index): Indexed => ({ ...it, index }))
    .filter((it) => Number.isFinite(it.bits) && Number.isFinite(it.error))
    .sort((a, b) => a.bits - b.bits || a.error - b.error || a.index - b.index);
  const hull: Indexed[] = [];
  for (const next of sorted) {
    const last = hull.at(-1);
    if (last && next.error >= last.error) continue;
    if (last?.bits === next.bits) continue;
    while (hull.length > 1 && isAbove(hull.at(-2), hull.at(-1), next)) hull.pop();
    hull.push(next);
  }
  return hull;
}

/** Whether b lies on or above the line from a to c. */
const isAbove = (a: Indexed | undefined, b: Indexed | undefined, c: Indexed): boolean =>
  a !== undefined &&
  b !== undefined &&
  (a.error - b.error) * (c.bits - a.bits) <= (a.error - c.error) * (b.bits - a.bits);
