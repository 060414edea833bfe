/** What the matrix unit does for attention. */
import { lines } from "../vector/tile.ts";
import { overChunks, type Cut } from "./cut.ts";

export const queryText = ({ shape, make }: Cut): string =>
  lines(make("q1"), `copy q[b, s : queries, head : heads, 0 : ${shape.dim}] -> q1[0 : rows, 0 : ${shape.dim}]`); // prettier-ignore

/** The turn's keys, into `k1`. */
const keysText = ({ shape: { dim, tail = 0 }, make }: Cut): string =>
  lines(
    make("k1"),
    `copy k[b, t : n, g, 0 : ${dim - tail}] -> k1[0 : n, 0 : ${dim - tail}]`,
    tail > 0 && `copy tail[b, t : n, 0, 0 : ${tail}] -> k1[0 : n, ${dim - tail} : ${tail}]`,
  );

/** Scores of the turn's keys, into `sc`. */
export const scoresText = (cut: Cut): string => {
  const { shape: { dim }, tile: { depth }, make } = cut; // prettier-ignore
  return lines(
    keysText(cut),
    make("sc"),
    `for d in 0 .. ${dim} step ${depth} {`,
    `let some = min(${depth}, ${dim} - d)`,
    make("q0"),
    make("k0"),
    "copy q1[0 : rows, d : some] -> q0[0 : rows, 0 : some]",
    "copy k1[0 : n, d : some] -> k0[0 : n, 0 : some]",
    "matmul q0[0 : rows, 0 : some], k0[0 : n, 0 : some] -> sc[0 : rows, 0 : n] first d == 0",
    "}",
  );
};

/** Weights of an earlier turn, from `p1`, times their values; `each` takes every chunk of sums from `oc`. */
export function valuesText(cut: Cut, p1: string, each: string): string {
  const { shape, tile, make } = cut;
  const [from, load] = shape.isLatent
    ? [`k1#${tile.lag}`, ""]
    : ["v1", lines(make("v1"), `copy v[b, before : last, g, ${cut.from} : ${cut.wide}] -> v1[0 : last, 0 : ${cut.wide}]`)]; // prettier-ignore
  return lines(
    load,
    make("p0"),
    `copy ${p1}[0 : rows, 0 : last] -> p0[0 : rows, 0 : last]`,
    overChunks(
      cut,
      make("oc"),
      `for u in 0 .. some step ${tile.narrow} {`,
      `let few = min(${tile.narrow}, some - u)`,
      make("v0"),
      `copy ${from}[0 : last, w + u : few] -> v0[0 : few, 0 : last] transposed`,
      "matmul p0[0 : rows, 0 : last], v0[0 : few, 0 : last] -> oc[0 : rows, u : few] first 1",
      "}",
      each,
    ),
  );
}
