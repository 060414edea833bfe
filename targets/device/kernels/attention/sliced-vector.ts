/** What the vector cores do for attention over many queries. */
import { lines } from "../vector/tile.ts";
import { masked } from "./sliced-tile.ts";
import { same, slots, type Named, type SlicedCut } from "./sliced-turns.ts";
import { orderText } from "./vector-text.ts";

/** Before the first item: which query a row is of, and what keys are drowned by. */
export const onceText = (cut: SlicedCut): string => {
  const { tile, make } = cut;
  const box = `[0 : ${tile.slice}, 0 : ${masked(tile)}]`;
  return lines(
    orderText(cut),
    make("place"),
    make("drowned"),
    make("sum"),
    `vector iota -> place${box} with 0`,
    `vector fill -> drowned${box} with -1e30`,
  );
};

/** At the beginning of an item: no maximum, no weight. That of the item before is still wanted. */
export const beginText = (cut: SlicedCut): string =>
  lines(
    shareText(cut, "queries", same),
    ...["most", "next", "total", "bound"].map((it) => cut.column(it)),
    cut.column("weight", 2),
    "vector fill -> most[0 : lines, 0 : 1] with -inf",
    "vector fill -> weight[0 : lines, 0 : 1] with 0",
  );

/** What a tile's maxima and weights mean for those before: what earlier sums are to be multiplied by, `soon`, and the weight of all. */
export const followText = [
  "sub most, next -> soon",
  "exp soon -> soon",
  "copy next -> most",
  "mul weight, soon -> weight",
  "add weight, total -> weight",
]
  .map((it) => `vector ${it.replaceAll(/(most|next|soon|weight|total)/g, "$1[0 : live, 0 : 1]")}`)
  .join("\n");

/** Of an item's rows, the `lines` from `line` on that are this vector core's: `own` of its queries, from `first` on. */
export const shareText = ({ tile }: SlicedCut, queries: string, named: Named): string => `
  let ${named("first")} = core * ceil(${queries}, cores)
  let ${named("own")} = max(0, min(ceil(${queries}, cores), ${queries} - ${named("first")}))
  let ${named("lines")} = ${named("own")} * ${tile.heads}
  let ${named("line")} = ${named("first")} * ${tile.heads}`;

const overSlices = (
  { tile: { slice } }: SlicedCut,
  rows: string,
  ...body: readonly (string | false)[]
): string =>
  lines(`for r in 0 .. ${rows} step ${slice} {`, `let h = min(${slice}, ${rows} - r)`, ...body, "}");
const rowsOf = (name: string): string => `${name}[r : h, 0 : 1]`;

/** The turn's weights, relative to the greatest score so far, `next`; their own sum, `total`. */
export function softmaxText(cut: SlicedCut): string {
  const { tile, make, scale, column } = cut;
  const scores = "s[0 : h, 0 : n]";
  return lines(
    "let live = lines * min(1, n)",
    column("soon", slots(cut)),
    overSlices(
      cut,
      "live",
      make("s"),
      `copy scores[now * ${tile.rows} + line + r : h, 0 : n] -> ${scores}`,
      `vector muls ${scores} -> ${scores} with ${scale}`,
      maskText(cut),
      `vector maximum ${scores} -> ${rowsOf("next")}`,
      `vector max ${rowsOf("most")}, ${rowsOf("next")} -> ${rowsOf("next")}`,
      `vector subColumn ${scores}, ${rowsOf("next")} -> ${scores}`,
      `vector exp ${scores} -> ${scores}`,
      `vector sum ${scores} -> ${rowsOf("total")}`,
      make("p"),
      `vector copy ${scores} -> p[0 : h, 0 : n]`,
      `copy p[0 : h, 0 : n] -> probs[now * ${tile.rows} + line + r : h, 0 : n]`,
    ),
  );
}

/** Keys behind a row's own query drown: they stand in the last columns, from `from` on. */
const maskText = ({ make }: SlicedCut): string =>
  lines(
    "let from = max(0, (P + s + first + 1 - t) / 8 * 8)",
    "let behind = max(0, n - from)",
    make("below"),
    `vector adds order[r : h * min(1, behind), 0 : 1] -> bound[r : h * min(1, behind), 0 : 1] with P + s + first + 1 - t - from`,
    `vector lessColumn place[0 : h, 0 : behind], ${rowsOf("bound")} -> below[0 : h, 0 : behind]`,
    "vector select below[0 : h, 0 : behind], s[0 : h, from : behind], drowned[0 : h, 0 : behind] -> s[0 : h, from : behind]",
  );

/** Sums of an earlier tile added to those before it. */
export const updateText = (cut: SlicedCut): string => {
  const { make, tile } = cut;
  const { width } = cut.shape;
  const sum = `sum[r : h, 0 : ${width}]`;
  return lines(
    `if i == 0 {\nvector fill -> sum[0 : lateLines, 0 : ${width}] with 0\n}`,
    overSlices(
      cut,
      "lateLines * min(1, last)",
      make("o"),
      `copy sums[then, lateLine + r : h, 0 : ${width}] -> o[0 : h, 0 : ${width}]`,
      `vector mulColumn ${sum}, soon#${tile.lag}[r : h, 0 : 1] -> ${sum}`,
      `vector add ${sum}, o[0 : h, 0 : ${width}] -> ${sum}`,
    ),
  );
};

/** At the end of an item: sums over their weights, its own or those of the item before. */
export const endText = (cut: SlicedCut): string => {
  const { make } = cut;
  const { width } = cut.shape;
  const { heads } = cut.tile;
  const sum = `sum[r : h, 0 : ${width}]`;
  const divided = (weight: string): string => `vector divColumn ${sum}, ${weight}[r : h, 0 : 1] -> ${sum}`;
  return lines(
    overSlices(
      cut,
      "lateLines",
      `if isOwn == 1 {\n${divided("weight")}\n}`,
      `if isOwn == 0 {\n${divided("weight#1")}\n}`,
      make("y"),
      `vector copy ${sum} -> y[0 : h, 0 : ${width}]`,
      `copy y[0 : h, 0 : ${width}] -> out[lateB, lateS + lateFirst + r / ${heads} : h / ${heads}, lateG * ${heads} : ${heads}, 0 : ${width}]`,
    ),
  );
};
