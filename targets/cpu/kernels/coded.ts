import { packedBytes, wordColumns } from "../../../src/tensor/pack.ts";
import { add, get, i32, lanes, set, vload } from "../../../src/wasm/wat.ts";
import { oddHalf } from "./dense-tile.ts";
import type { CodedWeight } from "./spec.ts";
import { times, type Tile } from "./tile.ts";

/** What the tiles over coded weights share: the parts of the weight, and the walk over the groups of a row. */
const groupsOf = (c: CodedWeight, k: number): number => Math.ceil(k / c.group);

export function partsOf(c: CodedWeight, k: number, names: readonly string[]): Tile["parts"] {
  const perGroup = packedBytes(c.scale, 16, groupsOf(c, k));
  return [
    { name: "w", blockBytes: packedBytes(c.weight, 16, k) },
    ...names.map((name) => ({ name, blockBytes: perGroup })),
  ];
}

/**
 * `group` is given the columns of a group: k falls into so many whole ones and perhaps a short one. Numbers per group are
 * read with `groupVector`; the locals `g` and `shift` are needed.
 */
export function eachGroup(
  c: CodedWeight,
  k: number,
  perGroup: readonly string[],
  group: (columns: number) => string,
): string {
  const move = (bytes: string) => perGroup.map((name) => set(name, add(get(name), bytes))).join(" ");
  // Several scales share a word, the first in its lowest bits; behind the last one the next word begins.
  const width = 32 / wordColumns[c.scale];
  const first = 32 - width;
  const next =
    c.scale === "f32"
      ? move(i32(64))
      : `${set("shift", `(i32.and (i32.sub ${get("shift")} ${i32(width)}) ${i32(31)})`)} ${move(`(i32.shl (i32.eq ${get("shift")} ${i32(first)}) ${i32(6)})`)}`;
  const rest = k % c.group;
  return [
    set("shift", i32(first)),
    times("g", Math.floor(k / c.group), `${group(c.group)} ${next}`),
    rest ? group(rest) : "",
  ].join(" ");
}

/** The number that rows 4v to 4v + 3 have for the group at hand. */
export function groupVector(c: CodedWeight, name: string, v: number): string {
  const words = vload(get(name), v * 16);
  if (c.scale === "f32") return words;
  const atTop = `(i32x4.shl ${words} ${get("shift")})`;
  return c.scale === "bf16" ? oddHalf(atTop) : powerOfTwo(atTop);
}

const all = (word: string): string => `(v128.const i32x4 ${lanes.map(() => word).join(" ")})`;

/** E8M0 in the top byte of each word as f32: its exponent, and for code 0 the subnormal 2^-127. Code 255 is not asked for. */
function powerOfTwo(words: string): string {
  const exponents = `(v128.and (i32x4.shr_u ${words} ${i32(1)}) ${all("0x7f800000")})`;
  return `(i32x4.max_u ${exponents} ${all("0x00400000")})`;
}

/** Twice the number of each E2M1 code, for a swizzle by codes in the low halves of bytes. */
const e2m1Table = `(v128.const i8x16 0 1 2 3 4 6 8 12 0 -1 -2 -3 -4 -6 -8 -12)`;
const lowHalves = all("0x0f0f0f0f");

/** The first and the last four columns of words of E2M1 codes, a signed byte each, twice their number. */
export const firstFour = (words: string): string =>
  `(i8x16.swizzle ${e2m1Table} (v128.and ${words} ${lowHalves}))`;
export const lastFour = (words: string): string =>
  `(i8x16.swizzle ${e2m1Table} (i8x16.shr_u ${words} ${i32(4)}))`;

/** A name that tells apart tiles over different codes. */
export const codeName = (c: CodedWeight, k: number): string => `${c.weight}_${c.group}_${c.scale}_${k}`;

/** Units that hold so many columns, and the columns of the last one if it is not full. */
export function unitsOf(c: CodedWeight, columns: number): { readonly whole: number; readonly rest: number } {
  const perUnit = wordColumns[c.weight];
  return { whole: Math.floor(columns / perUnit), rest: columns % perUnit };
}
