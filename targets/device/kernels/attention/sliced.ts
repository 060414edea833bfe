/**
 * Attention over many queries on cores that meet in memory only. A turn makes the scores of one tile of keys and sums the values of one some turns
 * before, block by block, so that neither waits for what the other leaves in the accumulators, nor for the vector cores.
 */
import { globalSpace } from "../../../../src/machine/profile.ts";
import { pathOf } from "../../../../src/machine/schedule/prepare.ts";
import { lines } from "../vector/tile.ts";
import {
  beginText,
  endText,
  followText,
  onceText,
  shareText,
  softmaxText,
  updateText,
} from "./sliced-vector.ts";
import { late, overTurns, slots, type SlicedCut } from "./sliced-turns.ts";
import { stageOf } from "./tile.ts";

/** Scratch through which the cores of a group meet. */
export const slicedScratch = (cut: SlicedCut): string =>
  lines(
    `tensor scores: f32[${slots(cut) * cut.tile.rows}, ${cut.tile.keys}] shared`,
    `tensor probs: ${cut.shape.dtype}[${slots(cut) * cut.tile.rows}, ${cut.tile.keys}] shared`,
    `tensor sums: f32[${slots(cut)}, ${cut.tile.rows}, ${cut.shape.width}] shared`,
  );

const engine = ({ profile }: SlicedCut, core: string, from: string, to: string): string =>
  pathOf(profile, core, from, to)?.engine ?? "";
const repeated = (cut: SlicedCut, text: string): string => lines(...Array.from({ length: cut.tile.lag }, () => text)); // prettier-ignore

/** Signals between the cores: scores are there (0), weights are there (1), sums are there (2). Weights are awaited some turns after they are given. */
export function slicedMatrixPart(cut: SlicedCut): string {
  const { profile, tile, shape, make } = cut;
  const { core, c } = profile.matrix;
  const { dim, width } = shape;
  const drain = engine(cut, core, c, globalSpace);
  const weights = `await ${profile.vector.core} -> ${engine(cut, core, globalSpace, stageOf(profile))} #1`;
  const begin = lines(
    make("q1"),
    `copy q[b, s : queries, g * ${tile.heads} : ${tile.heads}, 0 : ${dim}] -> q1[0 : rows, 0 : ${dim}]`,
    make("q0"),
    `copy q1[0 : rows, 0 : ${dim}] -> q0[0 : rows, 0 : ${dim}]`,
  );
  const turn = lines(
    weights,
    make("oc"),
    `for w in 0 .. max(n, last) step ${tile.weights} {`,
    make("p1"),
    `let wide = max(0, min(${tile.weights}, last - w))`,
    `copy probs[then * ${tile.rows} : lateRows, w : wide] -> p1[0 : lateRows, 0 : wide]`,
    `for u in w .. min(w + ${tile.weights}, max(n, last)) step ${tile.block} {`,
    make("k1"),
    make("v1"),
    `let m = max(0, min(${tile.block}, n - u))
    let few = max(0, min(${tile.block}, last - u))`,
    `copy k[b, t + u : m, g, 0 : ${dim}] -> k1[0 : m, 0 : ${dim}]`,
    `copy v[lateB, past + u : few, lateG, 0 : ${width}] -> v1[0 : few, 0 : ${width}]`,
    stepsText(cut),
    "}",
    "}",
    `signal ${drain} -> ${profile.vector.core} #0`,
    "let ready = lateRows * min(1, last)",
    `copy oc[0 : ready, 0 : ${width}] -> sums[then, 0 : ready, 0 : ${width}]`,
    `signal ${drain} -> ${profile.vector.core} #2`,
  );
  return lines(`on ${core} {`, overTurns(cut, begin, turn), repeated(cut, weights), "}");
}

/** Scores of a block of keys, and weights times a block of values, a few at a time of each. */
const stepsText = ({ tile: { rows, block, step, narrow }, shape: { dim, width }, make }: SlicedCut): string =>
  lines(
    `for x in 0 .. ${block} step ${step} {`,
    `let own = max(0, min(${step}, m - x))`,
    make("k0"),
    make("sc"),
    `copy k1[x : own, 0 : ${dim}] -> k0[0 : own, 0 : ${dim}]`,
    `matmul q0[0 : rows, 0 : ${dim}], k0[0 : own, 0 : ${dim}] -> sc[0 : rows, 0 : own] first 1`,
    `copy sc[0 : rows, 0 : own] -> scores[now * ${rows} : rows, u + x : own]`,
    "}",
    `for x in 0 .. ${block} step ${narrow} {`,
    `let some = max(0, min(${narrow}, few - x))`,
    make("p0"),
    make("v0"),
    `copy p1[0 : lateRows, u - w + x : some] -> p0[0 : lateRows, 0 : some]`,
    `copy v1[x : some, 0 : ${width}] -> v0[0 : ${width}, 0 : some] transposed`,
    `matmul p0[0 : lateRows, 0 : some], v0[0 : ${width}, 0 : some] -> oc[0 : lateRows, 0 : ${width}] first u + x == 0`,
    "}",
  );

/** Vector cores, each with its share of the queries. */
export function slicedVectorPart(cut: SlicedCut): string {
  const { profile, tile } = cut;
  const { core, space } = profile.vector;
  const take = engine(cut, core, globalSpace, space);
  const give = engine(cut, core, space, globalSpace);
  const weights = `signal ${give} -> ${profile.matrix.core} #1`;
  const there = { on: `${take} -> ${give} #0 x${tile.lag}`, back: `${give} -> ${take} #0 x${tile.lag}` };
  const all = (kind: "set" | "wait"): string =>
    lines(...Array.from({ length: tile.lag }, (_, i) => `${kind} ${give} -> ${take} #${i}`));
  const turn = lines(
    // Also a core without rows of its own signals no earlier than scores are there: it would run ahead by more than the counter counts. That they are
    // there is handed on and back as a buffer is.
    `wait ${there.back}`,
    `await ${profile.matrix.core} -> ${take} #0`,
    `set ${there.on}`,
    softmaxText(cut),
    `wait ${there.on}`,
    weights,
    `set ${there.back}`,
    followText,
    `await ${profile.matrix.core} -> ${take} #2`,
    shareText(cut, "lateQueries", late),
    updateText(cut),
    "if i + 1 == lateTiles {",
    endText(cut),
    "}",
  );
  return lines(
    `on ${core} {`,
    all("set"),
    onceText(cut),
    repeated(cut, weights),
    overTurns(cut, beginText(cut), turn),
    all("wait"),
    "}",
  );
}
