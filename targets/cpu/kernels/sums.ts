import { lanes } from "../../../src/machine/schedule/vector-ops.ts";
import { get, i32, lane, loop, set, vadd, zero4 } from "../../../src/wasm/wat.ts";

/**
 * Sums of rows in the order of the vector units' `sum` (machine/schedule/vector-ops.ts), so that both give the same bits: lanes `lanes` columns
 * apart, each in order; then the second half of the lanes is added to the first until one is left.
 */
const vectors = lanes / 4;

/** The locals, v128, that `sumRow` needs. */
export const sumLocals: readonly string[] = Array.from({ length: vectors }, (_, v) => `lanes${v}`);

type Term = string | undefined;

/** Halves of a list added to one another until one is left; what is missing counts as 0. */
function folded(terms: readonly Term[], half: number, plus: (a: string, b: string) => string): string {
  if (half < 1) return terms[0] ?? "";
  const sum = (a: Term, b: Term): Term => (a === undefined ? b : b === undefined ? a : plus(a, b));
  const sums = Array.from({ length: half }, (_, i) => sum(terms[i], terms[i + half]));
  return folded(sums, half / 2, plus);
}

const plus = (a: string, b: string): string => `(f32.add ${a} ${b})`;

/** The sum of float32 expressions, each in its column. */
export function sumOf(terms: ReadonlyMap<number, string>): string {
  const sums: Term[] = [];
  for (const [column, term] of terms) {
    const before = sums[column % lanes];
    sums[column % lanes] = before === undefined ? term : plus(before, term);
  }
  return folded(sums, lanes / 2, plus);
}

/** The sum of lanes 0 to 3 as they are folded. */
const sumOfVector = (v: string): string =>
  folded([0, 1, 2, 3].map((i) => lane(get(v), i)), 2, plus); // prettier-ignore

/**
 * f32 local `to` becomes the sum of `n` terms: `four` gives those of four columns from local i32 `i`, in bytes, and a constant offset on; `rest` those
 * of the last n mod 4, zeros behind them.
 */
export function sumRow(
  to: string,
  n: number,
  four: (offset: number) => string,
  rest: (offset: number, count: number) => string,
): string {
  const used = sumLocals.slice(0, Math.ceil(n / 4));
  const grow = (name: string, by: string): string => set(name, vadd(get(name), by));
  const runs = Math.floor(n / lanes);
  const behind = n % lanes;
  const run = used.map((name, v) => grow(name, four(16 * v))).join(" ");
  return [
    ...used.map((name) => set(name, zero4)),
    runs > 0 ? loop("i", i32(0), i32(runs * lanes * 4), lanes * 4, run) : set("i", i32(0)),
    ...used
      .slice(0, Math.ceil(behind / 4))
      .map((name, v) => grow(name, behind - 4 * v >= 4 ? four(16 * v) : rest(16 * v, behind - 4 * v))),
    set(used[0] ?? "", folded(used.map(get), vectors / 2, vadd)),
    set(to, sumOfVector(used[0] ?? "")),
  ].join(" ");
}
