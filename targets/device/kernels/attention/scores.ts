/** Scores by themselves, of one query a sequence: for attention whose sums are dealt out by columns. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { lines } from "../vector/tile.ts";
import { haveRoom, isFused, stageOf, upTo, type AttentionShape, type Buffer } from "./tile.ts";

/** Scores of each sequence and head, a row of which has room for so many keys. */
export const scoresTensor = (heads: number, keys: number, role: "in" | "out"): string =>
  `tensor scores: f32[B, ${heads}, P + S] strides [${heads * keys}, ${keys}, 1] ${role}`;

/** How scores are cut: heads and keys at a time, columns multiplied at a time. */
type ScoresTile = { readonly rows: number; readonly keys: number; readonly depth: number };

function scoresBuffers(profile: Profile, { dtype, dim }: AttentionShape, { rows, keys, depth }: ScoresTile) {
  const { a, b, c } = profile.matrix;
  const [stage, ub, d] = [stageOf(profile), profile.vector.space, upTo(dim, 16)];
  return {
    q1: [stage, dtype, rows, d, 1],
    k1: [stage, dtype, keys, d, 2],
    q0: [a, dtype, rows, depth, 2],
    k0: [b, dtype, keys, depth, 2],
    sc: [c, "f32", rows, keys, 2],
    ...(isFused(profile) && { s: [ub, "f32", rows, keys, 2] as const }),
  } as const satisfies Record<string, Buffer>;
}

/** The most products for what is staged that fit a machine; undefined where none do. */
function scoresTile(profile: Profile, shape: AttentionShape): ScoresTile | undefined {
  const most = upTo(shape.heads / shape.groups, 16);
  const tiles = [128, 64, 32, 16]
    .filter((rows) => rows < 2 * most)
    .flatMap((rows) =>
      [256, 128, 64, 32].flatMap((keys) => [128, 64, 32].map((depth) => ({ rows, keys, depth }))),
    ) // prettier-ignore
    .filter((it) => haveRoom(profile, scoresBuffers(profile, shape, it), 0));
  const worth = ({ rows, keys }: ScoresTile): number => (rows * keys) / (rows + keys);
  return tiles.toSorted((a, b) => worth(b) - worth(a) || b.depth - a.depth)[0];
}

/** Whether a machine can make scores by themselves. */
export const canScore = (profile: Profile, shape: AttentionShape): boolean =>
  scoresTile(profile, shape) !== undefined;

/** What the matrix unit does: a block of keys for some heads each turn. */
export function scoresText(profile: Profile, shape: AttentionShape): string {
  const tile = scoresTile(profile, shape);
  if (!tile) throw new Error(`${profile.name} has no room for scores`);
  const { heads, groups, dim } = shape;
  const together = heads / groups;
  const parts = Math.ceil(together / tile.rows);
  const buffers = new Map<string, Buffer>(Object.entries(scoresBuffers(profile, shape, tile)));
  const make = (name: string): string => {
    const [space, of, rows, cols, copies] = buffers.get(name) ?? ["", "f32", 0, 0, 1];
    return `buffer ${name}: ${space} ${of}[${rows}, ${cols}]${copies > 1 ? ` x${copies}` : ""}`;
  };
  const out = "scores[b, head : rows, t : n]";
  return lines(
    `on ${profile.matrix.core} {`,
    `let blocks = ceil(P + S, ${tile.keys})
      for item in group .. B * ${groups * parts} * blocks step groups {
      let t = item mod blocks * ${tile.keys}
      let rest = item / blocks
      let part = rest mod ${parts} * ${tile.rows}
      let g = rest / ${parts} mod ${groups}
      let b = rest / ${parts * groups}
      let rows = min(${tile.rows}, ${together} - part)
      let head = g * ${together} + part
      let n = min(${tile.keys}, P + S - t)`,
    make("q1"),
    `copy q[b, 0 : 1, head : rows, 0 : ${dim}] -> q1[0 : rows, 0 : ${dim}]`,
    make("k1"),
    `copy k[b, t : n, g, 0 : ${dim}] -> k1[0 : n, 0 : ${dim}]`,
    make("sc"),
    `for d in 0 .. ${dim} step ${tile.depth} {`,
    `let some = min(${tile.depth}, ${dim} - d)`,
    make("q0"),
    make("k0"),
    "copy q1[0 : rows, d : some] -> q0[0 : rows, 0 : some]",
    "copy k1[0 : n, d : some] -> k0[0 : n, 0 : some]",
    "matmul q0[0 : rows, 0 : some], k0[0 : n, 0 : some] -> sc[0 : rows, 0 : n] first d == 0",
    "}",
    isFused(profile)
      ? lines(
          make("s"),
          "copy sc[0 : rows, 0 : n] -> s[0 : rows, 0 : n]",
          `copy s[0 : rows, 0 : n] -> ${out}`,
        )
      : `copy sc[0 : rows, 0 : n] -> ${out}`,
    "}",
    "}",
  );
}
