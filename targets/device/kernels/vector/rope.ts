/**
 * Rotary position embedding (Su et al. 2021, eq. 34). Cosines and sines come from a table made at compile time, a row a position: angles reach
 * thousands of turns, which vector units' own sines, made for small arguments, would need a float64 reduction for.
 */
import type { Profile } from "../../../../src/machine/profile.ts";
import type { Kernel } from "../../../../src/machine/schedule/kernel.ts";
import { sincos } from "../../../../src/support/elementary.ts";
import { dtypes } from "../../../../src/tensor/dtype.ts";
import { named, sizeOf } from "../name.ts";
import { buffer, headsOf, held, kernelOf, lines, overNumberedRows, pitch, tensor, tileOf, type View } from "./tile.ts"; // prettier-ignore

export type Pairs = "interleaved" | "halves";

export type RopeSpec = {
  readonly x: View;
  /** Of the dtype of x. */
  readonly out: View;
  readonly pairs: Pairs;
  /** Positions that the table covers. */
  readonly positions: number;
};

/** Copies of rows, and of their positions' turns: as many as there are flags for, so that the latencies of loads hardly show. */
const ahead = 3;

/** Columns of a row of the table: cosines, and behind them sines. */
const tableWidth = (dim: number): number => 2 * pitch("f32", dim);

/**
 * The table [positions, columns] of `rope`: element j of a row is the cosine that element j of a head is multiplied by, and so with sines,
 * whose sign is that with which its partner comes in.
 */
export function rotationTable(
  invFreq: ArrayLike<number>,
  positions: number,
  pairs: Pairs,
  scale: number,
): Float32Array {
  const half = invFreq.length;
  const width = tableWidth(2 * half);
  const table = new Float32Array(positions * width);
  for (let p = 0; p < positions; p++)
    for (let j = 0; j < half; j++) {
      const angle = Math.fround(p * (invFreq[j] ?? 0));
      const [sin, cos] = sincos(angle).map((it) => it * scale) as [number, number]; // as many as there were
      const [a, b] = pairs === "interleaved" ? [2 * j, 2 * j + 1] : [j, j + half];
      table[p * width + a] = table[p * width + b] = cos;
      table[p * width + width / 2 + a] = -sin;
      table[p * width + width / 2 + b] = sin;
    }
  return table;
}

/** Partners exchanged, of a box into `w`. Halves that begin where the vector unit can address them move as they are: gathering takes many times as long. */
function swapped(from: string, dim: number, pairs: Pairs): string {
  const half = dim / 2;
  const box = (name: string, at: number, of: number): string => `${name}[0 : lot, ${at} : ${of}]`;
  if (pairs === "halves" && half === pitch("f32", half))
    return lines(
      `vector copy ${box(from, half, half)} -> ${box("w", 0, half)}`,
      `vector copy ${box(from, 0, half)} -> ${box("w", half, half)}`,
    );
  const op = pairs === "halves" ? "swapHalves" : "swapPairs";
  return `vector ${op} ${box(from, 0, dim)} -> ${box("w", 0, dim)}`;
}

/** Tensors: `x`, `positions` i32 [S], `table` of `rotationTable`, `out`. */
export function rope(profile: Profile, { x, out, pairs, positions }: RopeSpec): Kernel {
  const dim = x.width;
  const columns = tableWidth(dim);
  const isFloat = x.dtype === "f32";
  const chunk = (ahead * dtypes[x.dtype].bits) / 8 + 4 + (isFloat ? 0 : 4);
  const all = headsOf(x);
  // Heads are taken a few at a time where a row of all does not fit.
  const need = { chunk, column: 2 + (ahead * columns) / all };
  const heads = tileOf(profile, all * pitch(x.dtype, dim), 1, need, pitch(x.dtype, dim)).cols / pitch(x.dtype, dim); // prettier-ignore
  const tile = heads < all ? { rows: 1, cols: dim } : tileOf(profile, pitch(x.dtype, dim), all, need);
  const make = buffer(profile);
  const rows = tile.rows * heads;
  const [h, w] = [`${isFloat ? "x0" : "h"}[0 : lot, 0 : ${dim}]`, `w[0 : lot, 0 : ${dim}]`];
  const [cos, sin] = [0, columns / 2].map((at) => (row: string) => `turn[${row}, ${at} : ${dim}]`) as [(row: string) => string, (row: string) => string]; // prettier-ignore
  const ofToken = (name: string): string => `${name}[r * of : of, 0 : ${dim}]`;
  const times =
    all === 1
      ? lines(`vector mul ${h}, ${cos("0 : rows")} -> ${h}`, `vector mul ${w}, ${sin("0 : rows")} -> ${w}`)
      : lines(
          "for r in 0 .. rows {",
          `vector mulRow ${ofToken(isFloat ? "x0" : "h")}, ${cos("r")} -> ${ofToken(isFloat ? "x0" : "h")}`,
          `vector mulRow ${ofToken("w")}, ${sin("r")} -> ${ofToken("w")}`,
          "}",
        );
  const box = (name: string): string =>
    all === 1 ? `${name}[row : rows, 0 : ${dim}]` : `${name}[row : rows, head : of, 0 : ${dim}]`;
  return kernelOf(
    profile,
    lines(
      `kernel ${named("rope", sizeOf(x), pairs, x.dtype)} for ${profile.name}`,
      "size S",
      tensor("x", x, "in"),
      "tensor positions: i32[S] in",
      `tensor table: f32[${positions}, ${columns}] in`,
      tensor("out", out, "out"),
      `on ${profile.vector.core} {`,
      overNumberedRows(
        tile,
        1,
        lines(make("place", "i32", 1, held, 2), "copy positions[block : some] -> place[0 : 1, 0 : some]"),
        lines(
          make("turn", "f32", tile.rows, columns, ahead),
          "for r in 0 .. rows {",
          "read p = place[0, at + r]",
          `copy table[p, 0 : ${columns}] -> turn[r, 0 : ${columns}]`,
          "}",
          `for head in 0 .. ${all} step ${heads} {`,
          `let of = min(${heads}, ${all} - head)`,
          "let lot = lines * of",
          make("x0", x.dtype, rows, dim, ahead),
          !isFloat && make("h", "f32", rows, dim),
          make("w", "f32", rows, dim),
          `copy ${box("x")} -> x0[0 : lot, 0 : ${dim}]`,
          !isFloat && `vector copy x0[0 : lot, 0 : ${dim}] -> ${h}`,
          swapped(isFloat ? "x0" : "h", dim, pairs),
          times,
          `vector add ${h}, ${w} -> ${h}`,
          !isFloat && `vector copy ${h} -> x0[0 : lot, 0 : ${dim}]`,
          `copy x0[0 : lot, 0 : ${dim}] -> ${box("out")}`,
          "}",
        ),
      ),
      "}",
    ),
  );
}
