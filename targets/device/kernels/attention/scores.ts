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
    k1: [stage, dtype, keys, d, 3],
    q0: [a, dtype, rows, depth, 2],
    k0: [b, dtype, keys, depth, 2],
    sc: [c, "f32", rows, keys, 2],
    ...(isFused(profile) && { s: [ub, "f32", rows, keys, 2] as const }),
  } as const satisfies Record<string, Buffer>;
}

/** The tile of most heads, and of those the one whose keys are shared most evenly among core groups; undefined where none fits a machine. */
function scoresTile(profile: Profile, shape: AttentionShape): ScoresTile | undefined {
  const most = upTo(shape.heads / shape.groups, 16);
  const [rows] = [128, 64, 32, 16].filter((it) => it < 2 * most && candidates(profile, shape, it).length > 0);
  if (rows === undefined) return undefined;
  const units = shape.groups * Math.ceil(shape.heads / shape.groups / rows);
  const sharing = Math.max(1, Math.floor(profile.groups.value / units));
  const taken = ({ keys }: ScoresTile): number => keys * Math.ceil((shape.keys ?? 0) / keys / sharing);
  return candidates(profile, shape, rows).toSorted((a, b) => taken(a) - taken(b) || b.keys - a.keys || b.depth - a.depth)[0]; // prettier-ignore
}

const candidates = (profile: Profile, shape: AttentionShape, rows: number): readonly ScoresTile[] =>
  [256, 128, 64, 32]
    .flatMap((keys) => [128, 64, 32].map((depth) => ({ rows, keys, depth })))
    .filter((it) => haveRoom(profile, scoresBuffers(profile, shape, it), 0));

/** Whether a machine can make scores by themselves. */
export const canScore = (profile: Profile, shape: AttentionShape): boolean =>
  scoresTile(profile, shape) !== undefined;

/** What the matrix unit does: groups that have heads in common share their keys, a block each in turn. */
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
      let units = B * ${groups * parts}
      let sharing = max(1, groups / units)
      for unit in group / sharing .. units step max(1, groups / sharing) {
      let part = unit mod ${parts} * ${tile.rows}
      let g = unit / ${parts} mod ${groups}
      let b = unit / ${parts * groups}
      let rows = min(${tile.rows}, ${together} - part)
      let head = g * ${together} + part`,
    make("q1"),
    `copy q[b, 0 : 1, head : rows, 0 : ${dim}] -> q1[0 : rows, 0 : ${dim}]`,
    `for block in group mod sharing .. blocks step sharing {
      let t = block * ${tile.keys}
      let n = min(${tile.keys}, P + S - t)`,
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
    "}",
  );
}
