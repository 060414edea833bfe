/** What the vector unit does for attention. */
import { lines } from "../vector/tile.ts";
import { isMasked, overChunks, type Cut } from "./cut.ts";
import type { Tiling } from "./tile.ts";

const column = (name: string): string => `${name}[0 : live, 0 : 1]`;
const scores = "s[0 : live, 0 : n]";
const below = "below[0 : live, 0 : n]";

/** Before the first item: which query a row is of, where a tile's rows are of several. */
export const onceText = (cut: Cut): string => (isMasked(cut) ? orderText(cut) : cut.make("order"));

/** Which query a row is of, those known so far giving as many again. */
export function orderText({ tile: { heads, share }, make }: Cut<Tiling>): string {
  const doubled = (n: number): readonly string[] => {
    const more = Math.min(n, share - n);
    if (more <= 0) return [];
    return [`vector adds order[0 : ${more}, 0 : 1] -> order[${n} : ${more}, 0 : 1] with ${n / heads}`, ...doubled(2 * n)]; // prettier-ignore
  };
  const filled = [`vector fill -> order[0 : ${heads}, 0 : 1] with 0`, ...doubled(heads)];
  return lines(make("order"), ...filled);
}

/** At the beginning of an item: nothing summed, no maximum. */
export const beginText = ({ chunks, tile, make, column: declare }: Cut): string =>
  lines(
    make("sum"),
    make("below"),
    ...["most", "next", "weight", "bound"].map((it) => declare(it)),
    `vector fill -> sum[0 : ${chunks * tile.share}, 0 : ${tile.columns}] with 0`,
    "vector fill -> most[0 : lines, 0 : 1] with -inf",
    "vector fill -> weight[0 : lines, 0 : 1] with 0",
  );

/** Keys behind a row's own query drown. */
const maskText = lines(
  "if P + s + 1 < t + n {",
  `vector adds order[0 : live, 0 : 1] -> ${column("bound")} with P + s + firstQuery + 1 - t`,
  `vector iota -> ${below} with 0`,
  `vector lessColumn ${below}, ${column("bound")} -> ${below}`,
  `vector adds ${below} -> ${below} with -1`,
  `vector muls ${below} -> ${below} with 1e30`,
  `vector add ${scores}, ${below} -> ${scores}`,
  "}",
);

/** The turn's weights, from the scores `from` to `p`; what earlier sums are to be multiplied by, `soon`; their own sum, `weight`. */
export const softmaxText = (cut: Cut, from: string): string =>
  lines(
    "let live = lines * min(1, n)",
    cut.column("soon", cut.tile.lag + 1),
    cut.make("s"),
    `copy ${from} -> ${scores}`,
    `vector muls ${scores} -> ${scores} with ${cut.scale}`,
    isMasked(cut) && maskText,
    `vector maximum ${scores} -> ${column("next")}`,
    `vector max ${column("most")}, ${column("next")} -> ${column("next")}`,
    `vector sub ${column("most")}, ${column("next")} -> ${column("soon")}`,
    `vector exp ${column("soon")} -> ${column("soon")}`,
    `vector copy ${column("next")} -> ${column("most")}`,
    `vector subColumn ${scores}, ${column("next")} -> ${scores}`,
    `vector exp ${scores} -> ${scores}`,
    `vector sum ${scores} -> ${column("next")}`,
    `vector mul ${column("weight")}, ${column("soon")} -> ${column("weight")}`,
    `vector add ${column("weight")}, ${column("next")} -> ${column("weight")}`,
    cut.make("p"),
    `vector copy ${scores} -> p[0 : live, 0 : n]`,
  );

/** Rows of the sums' chunk at `w`; chunks stand one below another. */
const chunkOf = ({ tile }: Cut, rows: string): string =>
  `sum[w / ${tile.columns} * ${tile.share} : ${rows}, 0 : some]`;

/** A chunk of an earlier turn's sums, from `from`, added to those before it. */
export const updateText = (cut: Cut, from: string): string =>
  lines(
    cut.make("o"),
    `copy ${from} -> o[0 : late, 0 : some]`,
    `vector mulColumn ${chunkOf(cut, "late")}, soon#${cut.tile.lag}[0 : late, 0 : 1] -> ${chunkOf(cut, "late")}`,
    `vector add ${chunkOf(cut, "late")}, o[0 : late, 0 : some] -> ${chunkOf(cut, "late")}`,
  );

/** Where a core's rows of an item stand in a tensor [B, S, heads, …]. */
const own = "b, s + firstQuery : own, head + firstHead : mine";

/** At the end of an item: sums over their weights, or, where keys are in pieces, sums and what the pieces are put together by. */
export const endText = (cut: Cut): string => (cut.tile.pieces > 1 ? pieceText(cut) : wholeText(cut));

const wholeText = (cut: Cut): string =>
  overChunks(
    cut,
    cut.make("y"),
    `vector divColumn ${chunkOf(cut, "lines")}, weight[0 : lines, 0 : 1] -> ${chunkOf(cut, "lines")}`,
    `vector copy ${chunkOf(cut, "lines")} -> y[0 : lines, 0 : some]`,
    `copy y[0 : lines, 0 : some] -> out[${own}, ${cut.from} + w : some]`,
  );

const pieceText = (cut: Cut): string =>
  lines(
    `copy weight[0 : lines, 0 : 1] -> weights[piece, ${own}, 0 : 1]`,
    `copy most[0 : lines, 0 : 1] -> maxima[piece, ${own}, 0 : 1]`,
    overChunks(
      cut,
      cut.make("y"),
      `vector copy ${chunkOf(cut, "lines")} -> y[0 : lines, 0 : some]`,
      `copy y[0 : lines, 0 : some] -> partial[piece, ${own}, w : some]`,
    ),
  );
