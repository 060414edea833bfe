/**
 * Attention of one query a sequence whose sums have one order, as in float32: keys cannot be cut in pieces, so core groups share the columns of the values.
 * Scores, which all columns need, are made before by a kernel of their own.
 */
import { globalSpace, type Profile } from "../../../../src/machine/profile.ts";
import { lines } from "../vector/tile.ts";
import { overChunks, overKeys, shareText, type Cut } from "./cut.ts";
import { valuesText } from "./matrix-text.ts";
import { engine, late, repeated } from "./parts.ts";
import { canScore } from "./scores.ts";
import { attentionTiles, fits, isFused, stageOf, type AttentionShape, type AttentionTile, type Tiling } from "./tile.ts"; // prettier-ignore
import { beginText, endText, onceText, softmaxText, updateText } from "./vector-text.ts";

/** The vector cores keep the sums of some columns. */
export type DealtTile = AttentionTile & {
  /** Columns of values that a group takes. */
  readonly deal: number;
};

export const isDealt = (tile: Tiling): tile is DealtTile => "deal" in tile;

/** What a group sums: some columns of values that stand apart from keys. */
export const dealtShape = ({ sequences: _, isLatent: _latent, ...shape }: AttentionShape, deal: number): AttentionShape => ({ ...shape, width: deal, isLatent: false }); // prettier-ignore

/** Tiles under way between cores that meet in memory only: few keys take little time beside the way there and back. */
export const underWay = 5;

/** The cuts that keep a machine busiest, by a plain count, for each way to deal out columns so many at most; none where sums may be cut in pieces, or there are several queries. */
export function dealtTiles(profile: Profile, shape: AttentionShape, most: number): readonly DealtTile[] {
  const { dtype, queries, sequences, width } = shape;
  if (dtype !== "f32" || queries > 1 || sequences === undefined || !canScore(profile, shape)) return [];
  const deals = [32, 64, 128].filter((deal) => deal < width);
  const even = deals.filter((deal) => width % deal === 0);
  return (even.length > 0 ? even : deals).flatMap((deal) =>
    attentionTiles(profile, dealtShape(shape, deal), most)
      .map((it) => ({ ...it, deal, lag: isFused(profile) ? it.lag : underWay }))
      .filter((it) => fits(profile, dealtShape(shape, deal), it)),
  );
}

const isEven = ({ width: deal }: AttentionShape, width: number): boolean => width % deal === 0;

/** Where the columns of a group begin, and how many they are: where they are not dealt out evenly, the last of an item's are fewer. */
export const ownColumns = (shape: AttentionShape, width: number): Pick<Cut, "from" | "wide"> => ({
  from: "from",
  wide: isEven(shape, width) ? `${shape.width}` : "wide",
});

/** What a group has to do: some columns of some heads. */
const overItems = ({ shape, tile }: Cut, width: number, body: string): string => {
  const together = shape.heads / shape.groups;
  const parts = Math.ceil(together / tile.heads);
  const deals = Math.ceil(width / shape.width);
  return `
  for item in group .. B * ${shape.groups * parts * deals} step groups {
    let from = item mod ${deals} * ${shape.width}
    ${isEven(shape, width) ? "" : `let wide = min(${shape.width}, ${width} - from)`}
    let rest = item / ${deals}
    let part = rest mod ${parts} * ${tile.heads}
    let g = rest / ${parts} mod ${shape.groups}
    let b = rest / ${parts * shape.groups}
    let s = 0
    let queries = 1
    let heads = min(${tile.heads}, ${together} - part)
    let head = g * ${together} + part
    let rows = heads
    let begin = 0
    let limit = P + 1
    let tiles = ceil(limit, ${tile.keys})
    ${body}
  }`;
};

const given = "scores[b, head + firstHead : live, t : n]";

/** Scratch and parts of the sums, of `width` columns in all. */
export function dealtText(cut: Cut, width: number): string {
  if (isFused(cut.profile)) return fusedPart(cut, width);
  const { tile, shape, chunks } = cut;
  const slots = tile.lag + 1;
  return lines(
    `tensor probs: ${shape.dtype}[${slots * tile.rows}, ${tile.keys}] shared`,
    `tensor sums: f32[${slots * chunks}, ${tile.rows}, ${tile.columns}] shared`,
    matrixPart(cut, width),
    vectorPart(cut, width),
  );
}

const fusedPart = (cut: Cut, width: number): string =>
  lines(
    `on ${cut.profile.vector.core} {`,
    onceText(cut),
    overItems(
      cut,
      width,
      lines(
        shareText(cut),
        beginText(cut),
        overKeys(
          cut,
          lines(
            softmaxText(cut, given),
            cut.make("p1"),
            "copy p[0 : live, 0 : n] -> p1[0 : live, 0 : n]",
            late,
            valuesText(cut, `p1#${cut.tile.lag}`, updateText(cut, "oc[0 : late, 0 : some]")),
          ),
        ),
        endText(cut),
      ),
    ),
    "}",
  );

/** Signals between the cores: weights are there (1), sums are there (2). Weights are awaited some turns after they are given. */
function matrixPart(cut: Cut, width: number): string {
  const { profile, tile, chunks } = cut;
  const { core, c } = profile.matrix;
  const weights = `await ${profile.vector.core} -> ${engine(cut, core, globalSpace, stageOf(profile))} #1`;
  return lines(
    `on ${core} {`,
    overItems(
      cut,
      width,
      overKeys(
        cut,
        lines(
          weights,
          cut.make("p1"),
          `copy probs[lastSlot * ${tile.rows} : rows, 0 : last] -> p1[0 : rows, 0 : last]`,
          "let ready = rows * min(1, last)",
          valuesText(cut, "p1", `copy oc[0 : ready, 0 : some] -> sums[lastSlot * ${chunks} + w / ${tile.columns}, 0 : ready, 0 : some]`), // prettier-ignore
          `signal ${engine(cut, core, c, globalSpace)} -> ${profile.vector.core} #2`,
        ),
      ),
    ),
    repeated(cut, weights),
    "}",
  );
}

function vectorPart(cut: Cut, width: number): string {
  const { profile, tile, chunks } = cut;
  const { core, space } = profile.vector;
  const take = engine(cut, core, globalSpace, space);
  const weights = `signal ${engine(cut, core, space, globalSpace)} -> ${profile.matrix.core} #1`;
  const sums = `sums[lastSlot * ${chunks} + w / ${tile.columns}, line : late, 0 : some]`;
  return lines(
    `on ${core} {`,
    onceText(cut),
    repeated(cut, weights),
    overItems(
      cut,
      width,
      lines(
        shareText(cut),
        beginText(cut),
        overKeys(
          cut,
          lines(
            softmaxText(cut, given),
            "copy p[0 : live, 0 : n] -> probs[slot + line : live, 0 : n]",
            weights,
            `await ${profile.matrix.core} -> ${take} #2`,
            late,
            overChunks(cut, updateText(cut, sums)),
          ),
        ),
        endText(cut),
      ),
    ),
    "}",
  );
}
