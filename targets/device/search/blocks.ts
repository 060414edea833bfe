/** The rows of a product in blocks of so many at most, as tiles have them: those that are alike for the formula are counted together. */
import type { GemmSpec } from "../kernels/matrix/spec.ts";

export type Blocks = {
  readonly count: number;
  /** Rows of each, on average. */
  readonly rows: number;
  /** The share of the weights that it meets first: those behind find them in the cache. */
  readonly fresh: number;
};

/** Blocks of a height, where `met` are the rows that each matrix meets. What all matrices of a product have alike is evened out; experts are followed one by one. */
export function blocksOf(spec: GemmSpec, met: readonly number[], height: number): readonly Blocks[] {
  if (spec.experts === undefined) {
    const [rows = 0] = met;
    const down = Math.ceil(rows / height);
    return [{ count: down * met.length, rows: Math.min(height, rows), fresh: 1 / down }];
  }
  const tall = met.filter((it) => it > height);
  const lasts = tall.map((it) => it % height || height);
  const whole = tall.reduce((sum, it) => sum + Math.ceil(it / height) - 2, 0);
  return [
    together(tall.map(() => height), 1),
    together(met.filter((it) => it <= height), 1),
    { count: whole, rows: height, fresh: 0 },
    together(lasts, 0),
  ].filter((it) => it.count > 0); // prettier-ignore
}

const together = (rows: readonly number[], fresh: number): Blocks => ({
  count: rows.length,
  rows: Math.ceil(rows.reduce((sum, it) => sum + it, 0) / Math.max(1, rows.length)),
  fresh,
});
