/**
 * Attention whose sums stay in memory, where the matrix unit's results are added as they leave it (AMLA, Liao et al. 2025, arXiv 2509.25224). Weights of
 * a row are relative to a maximum that follows the true one only where that has risen far, so that sums are hardly ever brought to another: what
 * is added meanwhile is larger than it need be, which costs floats nothing. Tiles of scores are as many columns as the matrix unit holds, and their
 * making takes turns with the sums' so that neither waits for the other to leave.
 */
import { globalSpace } from "../../../../src/machine/profile.ts";
import { pathOf } from "../../../../src/machine/schedule/prepare.ts";
import type { DType } from "../../../../src/tensor/dtype.ts";
import { lines } from "../vector/tile.ts";
import { overItems, overKeys, shareText, type Cut } from "./cut.ts";
import { stageOf } from "./tile.ts";
import type { StoredTile } from "./stored-tile.ts";

type StoredCut = Cut<StoredTile>;

/** The buffer in which vector cores find whether a maximum has risen. */
export const risen = "rises";

/**
 * How far a row's scores may rise above those that its weights are relative to: e to the power of it times thousands of keys is still far from the largest
 * number, of float16 for weights in it, else of float32, which bfloat16 shares the range of.
 */
export const headroomOf = (dtype: DType): number => (dtype === "f16" ? 8 : 60);

/** Blocks of scores in a tile of keys. */
const blocksOf = ({ tile: { keys, block } }: StoredCut): number => Math.ceil(keys / block);

const slots = ({ tile }: StoredCut): number => tile.lag + 1;

/** Scratch through which the cores of a group meet: boxes that move as one run. Items take turns with two rooms for sums. */
export const storedScratch = (cut: StoredCut): string =>
  lines(
    `tensor scores: f32[${slots(cut) * blocksOf(cut)}, ${cut.tile.rows}, ${cut.tile.block}] shared`,
    `tensor probs: ${cut.shape.dtype}[${slots(cut) * cut.tile.rows}, ${cut.tile.keys}] shared`,
    `tensor sums: f32[${2 * cut.chunks}, ${cut.tile.rows}, ${cut.tile.columns}] shared`,
  );

const store = "let store = item / groups mod 2";
const engine = ({ profile }: StoredCut, core: string, from: string, to: string): string =>
  pathOf(profile, core, from, to)?.engine ?? "";
const repeated = (cut: StoredCut, text: string): string => lines(...Array.from({ length: cut.tile.lag }, () => text)); // prettier-ignore

/** Signals between the cores: scores are there (0), weights are there (1), a turn's sums are there (2). Weights are awaited some turns after they are given. */
export function storedMatrixPart(cut: StoredCut): string {
  const { profile, tile, make, shape } = cut;
  const { core, c } = profile.matrix;
  const drain = engine(cut, core, c, globalSpace);
  const panels = Math.ceil(shape.width / tile.panel);
  const weights = `await ${profile.vector.core} -> ${engine(cut, core, globalSpace, stageOf(profile))} #1`;
  const summed = `signal ${drain} -> ${profile.vector.core} #2`;
  return lines(
    `on ${core} {`,
    overItems(
      cut,
      lines(
        store,
        make("q1"),
        `copy q[b, s : queries, head : heads, 0 : ${shape.dim}] -> q1[0 : rows, 0 : ${shape.dim}]`,
        overKeys(
          cut,
          lines(
            `for c in 0 .. ${panels} {`,
            `let ready = rows * min(1, last)`,
            blockText(cut, tile.keys / panels),
            panelText(cut, weights),
            "}",
            `signal ${drain} -> ${profile.vector.core} #0`,
            summed,
          ),
        ),
        // Vector cores ask for the sums of a turn later.
        summed,
      ),
    ),
    repeated(cut, weights),
    "}",
  );
}

/** Scores of the panel's share of the turn's keys. */
const blockText = (cut: StoredCut, keys: number): string => {
  const { tile, make, shape } = cut;
  return lines(
    `for u in c * ${keys} .. min(n, c * ${keys} + ${keys}) step ${tile.block} {`,
    `let m = min(${tile.block}, n - u)`,
    make("k1"),
    `copy k[b, t + u : m, g, 0 : ${shape.dim}] -> k1[0 : m, 0 : ${shape.dim}]`,
    make("sc"),
    `for d in 0 .. ${shape.dim} step ${tile.depth} {`,
    `let some = min(${tile.depth}, ${shape.dim} - d)`,
    make("q0"),
    make("k0"),
    "copy q1[0 : rows, d : some] -> q0[0 : rows, 0 : some]",
    "copy k1[0 : m, d : some] -> k0[0 : m, 0 : some]",
    "matmul q0[0 : rows, 0 : some], k0[0 : m, 0 : some] -> sc[0 : rows, 0 : m] first d == 0",
    "}",
    `copy sc[0 : rows, 0 : m] -> scores[j mod ${slots(cut)} * ${blocksOf(cut)} + u / ${tile.block}, 0 : rows, 0 : m]`,
    "}",
  );
};

/** Weights of an earlier turn times a panel of their values, added to the sums. */
const panelText = (cut: StoredCut, weights: string): string => {
  const { tile, make, shape, chunks } = cut;
  const { rows, panel, columns, narrow, lag } = tile;
  const sums = `sums[store * ${chunks} + (c * ${panel} + w) / ${columns}, 0 : ready, 0 : some]`;
  return lines(
    `let wide = min(${panel}, ${shape.width} - c * ${panel})`,
    make("p1"),
    make("v1"),
    `copy ${shape.isLatent ? "k" : "v"}[b, before : last, g, c * ${panel} : wide] -> v1[0 : last, 0 : wide]`,
    `if c == 0 {\n${weights}\n}`,
    `copy probs[lastSlot * ${rows} : ready, 0 : last] -> p1[0 : ready, 0 : last]`,
    `for w in 0 .. wide step ${columns} {`,
    `let some = min(${columns}, wide - w)`,
    make("oc"),
    `for x in 0 .. last step ${narrow} {`,
    `let few = min(${narrow}, last - x)`,
    make("p0"),
    make("v0"),
    "copy p1[0 : rows, x : few] -> p0[0 : rows, 0 : few]",
    "copy v1[x : few, w : some] -> v0[0 : some, 0 : few] transposed",
    "matmul p0[0 : rows, 0 : few], v0[0 : some, 0 : few] -> oc[0 : rows, 0 : some] first x == 0",
    "}",
    `if j == ${lag} {\ncopy oc[0 : ready, 0 : some] -> ${sums}\n}`,
    `if ${lag} < j {\ncopy oc[0 : ready, 0 : some] -> ${sums} added\n}`,
    "}",
  );
};

/** Vector cores, each with its share of the rows. */
export function storedVectorPart(cut: StoredCut): string {
  const { profile, column } = cut;
  const { core, space } = profile.vector;
  const take = engine(cut, core, globalSpace, space);
  const weights = `signal ${engine(cut, core, space, globalSpace)} -> ${profile.matrix.core} #1`;
  const summed = `await ${profile.matrix.core} -> ${take} #2`;
  return lines(
    `on ${core} {`,
    repeated(cut, weights),
    overItems(
      cut,
      lines(
        store,
        shareText(cut),
        ...["most", "next", "weight", "bound", "raised", "soon"].map((it) => column(it)),
        "vector fill -> most[0 : lines, 0 : 1] with -inf",
        "vector fill -> weight[0 : lines, 0 : 1] with 0",
        "vector fill -> raised[0 : lines, 0 : 1] with 0",
        summed,
        overKeys(
          cut,
          lines(
            `await ${profile.matrix.core} -> ${take} #0`,
            "let live = lines * min(1, n)",
            softmaxText(cut),
            summed,
            rescaleText(cut),
            weights,
          ),
        ),
        endText(cut),
      ),
    ),
    "}",
  );
}

const overSlices = ({ tile: { slice } }: StoredCut, rows: string, ...body: readonly string[]): string =>
  lines(`for r in 0 .. ${rows} step ${slice} {`, `let h = min(${slice}, ${rows} - r)`, ...body, "}");
const rowsOf = (name: string): string => `${name}[r : h, 0 : 1]`;

/** The turn's weights, relative to a maximum that has followed the true one if that has `raised`; what earlier sums are to be multiplied by, `soon`. */
function softmaxText(cut: StoredCut): string {
  const { tile, make, scale } = cut;
  const scores = "s[0 : h, 0 : n]";
  return overSlices(
    cut,
    "live",
    make("s"),
    `for u in 0 .. n step ${tile.block} {`,
    `let m = min(${tile.block}, n - u)`,
    `copy scores[j mod ${slots(cut)} * ${blocksOf(cut)} + u / ${tile.block}, line + r : h, 0 : m] -> s[0 : h, u : m]`,
    "}",
    `vector muls ${scores} -> ${scores} with ${scale}`,
    `vector maximum ${scores} -> ${rowsOf("next")}`,
    `vector adds ${rowsOf("most")} -> ${rowsOf("bound")} with ${headroomOf(cut.shape.dtype)}`,
    `vector less ${rowsOf("bound")}, ${rowsOf("next")} -> ${rowsOf("raised")}`,
    `vector select ${rowsOf("raised")}, ${rowsOf("next")}, ${rowsOf("most")} -> ${rowsOf("next")}`,
    `vector sub ${rowsOf("most")}, ${rowsOf("next")} -> ${rowsOf("soon")}`,
    `vector exp ${rowsOf("soon")} -> ${rowsOf("soon")}`,
    `vector copy ${rowsOf("next")} -> ${rowsOf("most")}`,
    `vector subColumn ${scores}, ${rowsOf("next")} -> ${scores}`,
    `vector exp ${scores} -> ${scores}`,
    `vector sum ${scores} -> ${rowsOf("next")}`,
    `vector mul ${rowsOf("weight")}, ${rowsOf("soon")} -> ${rowsOf("weight")}`,
    `vector add ${rowsOf("weight")}, ${rowsOf("next")} -> ${rowsOf("weight")}`,
    make("p"),
    `vector copy ${scores} -> p[0 : h, 0 : n]`,
    "copy p[0 : h, 0 : n] -> probs[slot + line + r : h, 0 : n]",
  );
}

/** A core's rows of a chunk of the sums. */
const sumsAt = ({ chunks, tile }: StoredCut): string =>
  `sums[store * ${chunks} + w / ${tile.columns}, line + r : h, 0 : some]`;

const overChunks = ({ shape, tile }: StoredCut, ...body: readonly string[]): string =>
  lines(`for w in 0 .. ${shape.width} step ${tile.columns} {`, `let some = min(${tile.columns}, ${shape.width} - w)`, ...body, "}"); // prettier-ignore

/** Where a row's maximum has risen, what is summed so far is brought to it. */
const rescaleText = (cut: StoredCut): string =>
  lines(
    cut.make("top"),
    cut.make(risen),
    "vector greatest raised[0 : lines, 0 : 1] -> top[0 : 1, 0 : 1]",
    `vector copy top[0 : 1, 0 : 1] -> ${risen}[0 : 1, 0 : 1]`,
    `read isRaised = ${risen}[0, 0]`,
    "if 0 < isRaised {",
    overSlices(
      cut,
      "live * min(1, j)",
      overChunks(
        cut,
        cut.make("o"),
        `copy ${sumsAt(cut)} -> o[0 : h, 0 : some]`,
        `vector mulColumn o[0 : h, 0 : some], ${rowsOf("soon")} -> o[0 : h, 0 : some]`,
        `copy o[0 : h, 0 : some] -> ${sumsAt(cut)}`,
      ),
    ),
    "}",
  );

/** At the end of an item: sums over their weights, or, where keys are in pieces, sums and what the pieces are put together by. */
function endText(cut: StoredCut): string {
  const { make, tile } = cut;
  const isWhole = tile.pieces === 1;
  const own = (rows: string): string => `b, s, head + firstHead${rows}`;
  return lines(
    isWhole ? "" : `copy weight[0 : lines, 0 : 1] -> weights[piece, ${own(" : lines")}, 0 : 1]`,
    isWhole ? "" : `copy most[0 : lines, 0 : 1] -> maxima[piece, ${own(" : lines")}, 0 : 1]`,
    overSlices(
      cut,
      "lines",
      overChunks(
        cut,
        make("e"),
        `if 0 < tiles {\ncopy ${sumsAt(cut)} -> e[0 : h, 0 : some]\n}`,
        "if tiles < 1 {\nvector fill -> e[0 : h, 0 : some] with 0\n}",
        isWhole ? `vector divColumn e[0 : h, 0 : some], ${rowsOf("weight")} -> e[0 : h, 0 : some]` : "",
        make("y"),
        "vector copy e[0 : h, 0 : some] -> y[0 : h, 0 : some]",
        `copy y[0 : h, 0 : some] -> ${isWhole ? "out[" : "partial[piece, "}${own(" + r : h")}, w : some]`,
      ),
    ),
  );
}
