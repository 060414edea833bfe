import { packedBytes, wordColumns } from "../../../src/tensor/pack.ts";
import { add, get, i32, set, vload } from "../../../src/wasm/wat.ts";
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
  // Two bf16 share a word, so every second group moves on to the next.
  const next =
    c.scale === "f32"
      ? move(i32(64))
      : `${set("shift", `(i32.xor ${get("shift")} ${i32(16)})`)} ${move(`(i32.shl ${get("shift")} ${i32(2)})`)}`;
  const rest = k % c.group;
  return [
    set("shift", i32(16)),
    times("g", Math.floor(k / c.group), `${group(c.group)} ${next}`),
    rest ? group(rest) : "",
  ].join(" ");
}

/** The number that rows 4v to 4v + 3 have for the group at hand. */
export function groupVector(c: CodedWeight, name: string, v: number): string {
  const words = vload(get(name), v * 16);
  return c.scale === "f32" ? words : oddHalf(`(i32x4.shl ${words} ${get("shift")})`);
}

/** A name that tells apart tiles over different codes. */
export const codeName = (c: CodedWeight, k: number): string => `${c.weight}_${c.group}_${c.scale}_${k}`;

/** Units that hold so many columns, and the columns of the last one if it is not full. */
export function unitsOf(c: CodedWeight, columns: number): { readonly whole: number; readonly rest: number } {
  const perUnit = wordColumns[c.weight];
  return { whole: Math.floor(columns / perUnit), rest: columns % perUnit };
}
