/**
 * How rows leave the vector unit's space. A row's share of a fractal is far less than memory takes at once, so rows in fractals leave some together:
 * where they are so long that fewer are worked on at a time, they are kept until all of a block are there.
 */
import { globalSpace, type Profile } from "../../../../src/machine/profile.ts";
import { dtypes } from "../../../../src/tensor/dtype.ts";
import { box, buffer, lines, overRows, tileOf, type Need, type Tile, type View } from "./tile.ts";

/** Rows that are worked on at a time, and rows that are kept until they are stored together; 1 where each chunk is stored as it is made. */
export type BlockedTile = Tile & { readonly block: number };

/** Columns of a chunk whose instructions do not show. */
const enough = 1024;

/** Rows in fractals whose shares of one make a piece that memory takes at once. */
function piece({ paths, vector, spaces }: Profile): number {
  const { pieceBytes } = paths.find((it) => it.from === vector.space && it.to === globalSpace) ?? {};
  const { fractal } = spaces.find((it) => it.name === globalSpace) ?? {};
  return pieceBytes && fractal ? Math.floor(pieceBytes.value / fractal.rowBytes.value) : 1;
}

/** An operand that a kernel writes, the buffer in which its rows are made, and copies of it. */
export type Output = {
  readonly operand: string;
  readonly view: View;
  readonly buffer: string;
  readonly copies: number;
};

const isKept = ({ view }: Output, block: number): boolean => view.nz === true && block > 1;

/** What fits beside outputs: chunks of them, or all columns of rows that are kept. */
function withOutputs(need: Need, outputs: readonly Output[], block: number): Need {
  const bytes = ({ view }: Output): number => dtypes[view.dtype].bits / 8;
  return {
    ...need,
    chunk: outputs.reduce((n, it) => n + (isKept(it, block) ? 0 : it.copies * bytes(it)), need.chunk),
    once: outputs.reduce((n, it) => n + (isKept(it, block) ? block * bytes(it) : 0), need.once ?? 0),
  };
}

/** What a kernel takes beside its outputs, as many rows being kept as are best stored together. */
export const besideOutputs = (profile: Profile, need: Need, outputs: readonly Output[]): Need =>
  withOutputs(need, outputs, piece(profile));

/** The largest tile of rows like `view` that fits beside what is written; `need` is what else a kernel takes. */
export function blockedTile(
  profile: Profile,
  { width, heads = 1 }: View,
  outputs: readonly Output[],
  need: Need,
  quantum: number,
): BlockedTile {
  const tile = (block: number): BlockedTile => ({ ...tileOf(profile, width, heads, withOutputs(need, outputs, block), quantum), block }); // prettier-ignore
  const single = tile(1);
  let block = outputs.some((it) => it.view.nz) ? piece(profile) : 1;
  if (single.rows >= block) return single;
  // Where keeping so many leaves room for short chunks only, fewer are kept.
  while (block > 1 && tile(block).cols < Math.min(width, enough)) block = Math.floor(block / 2);
  return tile(block);
}

/** The way of rows out: declarations in the loop over blocks and in that over chunks, where a chunk is put, and how it, or all of a block, is stored. */
export type Leaving = {
  readonly perBlock: string;
  readonly perChunk: string;
  readonly box: string;
  readonly chunk: string;
  readonly whole: string;
};

export function leaving(profile: Profile, output: Output, { rows, cols, block }: BlockedTile): Leaving {
  const { operand, view, buffer: name, copies } = output;
  const { dtype, width, heads = 1 } = view;
  const make = buffer(profile);
  if (isKept(output, block))
    return {
      perBlock: make(name, dtype, block * heads, width),
      perChunk: "",
      box: `${name}[(row - first) * ${heads} : lines, c : cols]`,
      chunk: "",
      whole: `copy ${name}[0 : some * ${heads}, 0 : ${width}] -> ${box(operand, view, "first : some", `0 : ${width}`)}`,
    };
  return {
    perBlock: "",
    perChunk: make(name, dtype, rows * heads, cols, copies),
    box: `${name}[0 : lines, 0 : cols]`,
    chunk: `copy ${name}[0 : lines, 0 : cols] -> ${box(operand, view)}`,
    whole: "",
  };
}

/** As `overRows`, with what stands around the rows of a block. */
export const overBlocks = (
  tile: BlockedTile,
  heads: number,
  body: string,
  leaves: readonly (Leaving | undefined)[],
): string =>
  tile.block === 1
    ? overRows(tile, heads, body)
    : `
let share = ceil(S, groups * cores)
let step = ceil(share, max(1, ceil(share, ${tile.block})))
for first in (group * cores + core) * step .. S step groups * cores * step {
  let some = min(step, S - first)
  ${lines(...leaves.map((it) => it?.perBlock))}
  for row in first .. first + some step ${tile.rows} {
    let rows = min(${tile.rows}, first + some - row)
    let lines = rows * ${heads}
    ${body}
  }
  ${lines(...leaves.map((it) => it?.whole))}
}`;
