/** Rows that lie expert by expert, in the blocks that products of experts go through: each of one expert, and none empty. */
import type { Kernel } from "../../machine/schedule/kernel.ts";
import { compileExpr } from "../../machine/schedule/expr.ts";
import type { Reader } from "../../machine/simulate/reader.ts";

export type RowBlock = { readonly expert: number; readonly begin: number };

/** Where the rows of each expert begin, dealt out evenly behind `first` others, and the last end. */
export const evenOffsets = (experts: number, rows: number, first = 0): readonly number[] =>
  Array.from({ length: experts + 1 }, (_, e) => Math.round(first + (e * (rows - first)) / experts));

/** The same, where each expert has fewer rows than the one before it, by Zipf's law. */
export function zipfOffsets(experts: number, rows: number, exponent: number): readonly number[] {
  const shares = Array.from({ length: experts }, (_, rank) => 1 / (rank + 1) ** exponent);
  const all = shares.reduce((sum, it) => sum + it, 0);
  let before = 0;
  return [0, ...shares.map((it) => Math.round((rows * (before += it)) / all))];
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
    const [last = 0] = at.slice(-1);
    const block = blocks[last];
    if (box === "offsets") return offsets[last] ?? 0;
    if (box === "blockCount") return blocks.length;
    return (box === "blocks" && (at[0] === 0 ? block?.expert : block?.begin)) || 0;
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
