/** Rows that lie expert by expert, in the blocks that products of experts go through: each of one expert, and none empty. */
import type { Kernel } from "../../machine/schedule/kernel.ts";
import { compileExpr } from "../../machine/schedule/expr.ts";
import type { Reader } from "../../machine/simulate/reader.ts";
import { createRandom } from "../../support/random.ts";

/** How much more popular some experts are than others, by Zipf's law: the middle of what placements are tested with. */
const exponent = 0.6;

export type RowBlock = { readonly expert: number; readonly begin: number };

/** Where the rows of each expert begin, dealt out evenly behind `first` others, and the last end. */
export const evenOffsets = (experts: number, rows: number, first = 0): readonly number[] =>
  Array.from({ length: experts + 1 }, (_, e) => Math.round(first + (e * (rows - first)) / experts));

/** The same, where each row is of an expert by its popularity, which follows Zipf's law; a seed deals out both. */
export function zipfOffsets(experts: number, rows: number, seed: number): readonly number[] {
  const random = createRandom(seed);
  const order = Array.from({ length: experts }, (_, e) => [random.float(), e] as const).toSorted(([a], [b]) => a - b); // prettier-ignore
  const weights = order.map((_, rank) => 1 / (rank + 1) ** exponent);
  const all = weights.reduce((sum, it) => sum + it, 0);
  const counts = Array<number>(experts).fill(0);
  for (let row = 0; row < rows; row++) {
    let at = random.float() * all;
    const rank = weights.findIndex((it) => (at -= it) < 0);
    const e = order[rank]?.[1] ?? 0;
    counts[e] = (counts[e] ?? 0) + 1;
  }
  return counts.reduce<number[]>((offsets, it) => [...offsets, (offsets.at(-1) ?? 0) + it], [0]);
}

/** The blocks of at most `height` rows, where `offsets` [experts + 1] says where the rows of each expert begin and the last end. */
export const rowBlocks = (offsets: readonly number[], height: number): readonly RowBlock[] =>
  offsets.slice(0, -1).flatMap((from, expert) => {
    const count = Math.ceil(((offsets[expert + 1] ?? from) - from) / height);
    return Array.from({ length: count }, (_, i) => ({ expert, begin: from + i * height }));
  });

/** What a product of experts reads: `offsets`, `blocks` [2, ..], the expert and the first row of each, and `blockCount`. */
export function blockReader(offsets: readonly number[], height: number): Reader {
  const blocks = rowBlocks(offsets, height);
  return (box, at) => {
    const last = at[at.length - 1] ?? 0;
    if (box === "offsets") return offsets[last] ?? 0;
    if (box === "blockCount") return blocks.length;
    const block = box === "blocks" ? blocks[last] : undefined;
    return (at[0] === 0 ? block?.expert : block?.begin) ?? 0;
  };
}

/** Rows of a block of a product of experts: there is room for one more block for each so many rows of the launch. */
export function blockHeight({ tensors }: Kernel): number | undefined {
  const room = tensors.find((it) => it.name === "blocks")?.dims[1];
  if (!room) return undefined;
  const many = 2 ** 40;
  const roomOf = (rows: number): number => compileExpr(room, () => 0)([rows]);
  return Math.round(many / (roomOf(many) - roomOf(0)));
}
