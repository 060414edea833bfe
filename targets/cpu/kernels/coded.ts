import { packedBytes, wordColumns } from "../../../src/tensor/pack.ts";
import { add, get, i32, lanes, set, vload } from "../../../src/wasm/wat.ts";
import { oddHalf } from "./tiles/dense.ts";
import type { CodedWeight } from "./spec.ts";
import { times, type Tile } from "./tiles/tile.ts";

/** What the tiles over coded weights share: the parts of the weight, and the walk over the groups of a row. */
const groupsOf = (c: CodedWeight, k: number): number => Math.ceil(k / c.group);

/** A number for each group of a row, and the dtype it is packed in. */
type PerGroup = { readonly name: "scales" | "zeros"; readonly type: CodedWeight["scale"] | "i8" };

/** What the groups of a weight have: scales, and zero points if there are any. */
export const perGroupOf = (c: CodedWeight, zero: boolean): readonly PerGroup[] => [
  { name: "scales", type: c.scale },
  ...(zero ? [{ name: "zeros", type: "i8" } as const] : []),
];

/** The locals that `eachGroup` needs. */
export const groupLocals = (perGroup: readonly PerGroup[]): readonly string[] => [
  "g",
  ...perGroup.map(({ name }) => `${name}_shift`),
];

export function partsOf(c: CodedWeight, k: number, perGroup: readonly PerGroup[]): Tile["parts"] {
  return [
    { name: "w", blockBytes: packedBytes(c.weight, 16, k) },
    ...perGroup.map(({ name, type }) => ({ name, blockBytes: packedBytes(type, 16, groupsOf(c, k)) })),
  ];
}

/** How far a word is shifted up to bring its first number to the top. Several may share a word, the first in its lowest bits. */
const firstShift = ({ type }: PerGroup): number => 32 - 32 / wordColumns[type];

/** On to the number of the next group; behind the last of a word the next word begins. */
function advance(it: PerGroup): string {
  const [shift, width] = [`${it.name}_shift`, 32 / wordColumns[it.type]];
  const move = (bytes: string) => set(it.name, add(get(it.name), bytes));
  if (width === 32) return move(i32(64));
  const next = `(i32.and (i32.sub ${get(shift)} ${i32(width)}) ${i32(31)})`;
  return `${set(shift, next)} ${move(`(i32.shl (i32.eq ${get(shift)} ${i32(firstShift(it))}) ${i32(6)})`)}`;
}

/**
 * `group` is given the columns of a group: k falls into so many whole ones and perhaps a short one. Numbers per group are
 * read with `groupVector`; the locals of `groupLocals` are needed.
 */
export function eachGroup(
  c: CodedWeight,
  k: number,
  perGroup: readonly PerGroup[],
  group: (columns: number) => string,
): string {
  const rest = k % c.group;
  return [
    ...perGroup.map((it) => set(`${it.name}_shift`, i32(firstShift(it)))),
    times("g", Math.floor(k / c.group), [group(c.group), ...perGroup.map(advance)].join(" ")),
    rest ? group(rest) : "",
  ].join(" ");
}

/** The number that rows 4v to 4v + 3 have for the group at hand, as f32. */
export function groupVector({ name, type }: PerGroup, v: number): string {
  const words = vload(get(name), v * 16);
  const atTop = `(i32x4.shl ${words} ${get(`${name}_shift`)})`;
  switch (type) {
    case "f32":
      return words;
    case "bf16":
      return oddHalf(atTop);
    case "f8e8m0":
      return powerOfTwo(atTop);
    case "i8":
      return `(f32x4.convert_i32x4_s (i32x4.shr_s ${atTop} ${i32(24)}))`;
  }
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
