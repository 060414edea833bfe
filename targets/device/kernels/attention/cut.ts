/** What the texts of attention's parts are written from, and the loops that they share. */
import type { Profile } from "../../../../src/machine/profile.ts";
import { lines } from "../vector/tile.ts";
import { buffersOf, type AttentionShape, type AttentionTile, type Buffer, type Tiling } from "./tile.ts";

export type Cut<T extends Tiling = AttentionTile> = {
  readonly profile: Profile;
  readonly shape: AttentionShape;
  readonly tile: T;
  readonly scale: number;
  /** The first column of the values, where a group takes some of them, and how many it takes. */
  readonly from: string;
  readonly wide: string;
  /** Chunks of columns in which sums move. */
  readonly chunks: number;
  /** Declares a buffer of `buffersOf`. */
  readonly make: (name: string) => string;
  /** Declares a column of float32 on the vector cores. */
  readonly column: (name: string, copies?: number) => string;
};

const times = (copies: number): string => (copies > 1 ? ` x${copies}` : "");

export const cutOf = (profile: Profile, shape: AttentionShape, tile: AttentionTile, scale: number): Cut =>
  cutWith(profile, shape, tile, scale, buffersOf(profile, shape, tile));

/** A cut whose buffers are given by name. */
export function cutWith<T extends Tiling>(
  profile: Profile,
  shape: AttentionShape,
  tile: T,
  scale: number,
  buffers: Readonly<Record<string, Buffer>>,
): Cut<T> {
  const declared = new Map(Object.entries(buffers));
  return {
    profile,
    shape,
    tile,
    scale,
    from: "0",
    wide: `${shape.width}`,
    chunks: Math.ceil(shape.width / tile.columns),
    make: (name) => {
      const found = declared.get(name);
      if (!found) throw new Error(`attention has no buffer ${name}`);
      const [space, dtype, rows, cols, copies] = found;
      return `buffer ${name}: ${space} ${dtype}[${rows}, ${cols}]${times(copies)}`;
    },
    column: (name, copies = 1) =>
      `buffer ${name}: ${profile.vector.space} f32[${tile.share}, 1]${times(copies)}`,
  };
}

/** Whether a tile's rows are of several queries, which see different keys. */
export const isMasked = ({ tile }: Cut<Tiling>): boolean => tile.queries > 1;

/** Rounds in their order, and backwards for every other set of keys: later queries see more keys, and groups are to see as many. */
export const backAndForth = (round: string, set: string): string =>
  `(${round} + ${set} mod 2 * (rounds - 1 - 2 * ${round}))`;

/** What a group has to do: a tile of queries with heads that share keys, and a piece of these. */
export function overItems({ shape, tile }: Cut<Tiling>, body: string): string {
  const together = shape.heads / shape.groups;
  const parts = Math.ceil(together / tile.heads);
  const { pieces } = tile;
  return lines(
    `let rounds = ceil(S, ${tile.queries})`,
    `for item in group .. B * rounds * ${shape.groups * parts * pieces} step groups {`,
    `let rest = item / rounds${pieces > 1 ? ` / ${pieces}` : ""}`,
    pieces > 1
      ? `let s = item / ${pieces} mod rounds * ${tile.queries}`
      : `let round = item mod rounds
    let s = ${backAndForth("round", "rest")} * ${tile.queries}`,
    `let part = rest mod ${parts} * ${tile.heads}
    let g = rest / ${parts} mod ${shape.groups}
    let b = rest / ${parts * shape.groups}
    let queries = min(${tile.queries}, S - s)
    let heads = min(${tile.heads}, ${together} - part)
    let head = g * ${together} + part
    let rows = queries * heads`,
    pieces > 1
      ? `let seen = P + s + queries
    let piece = item mod ${pieces}
    let run = ceil(ceil(seen, ${tile.keys}), ${pieces}) * ${tile.keys}
    let begin = piece * run
    let limit = min(seen, begin + run)
    let tiles = max(0, ceil(limit - begin, ${tile.keys}))`
      : `let begin = 0
    let limit = P + s + queries
    let tiles = ceil(limit, ${tile.keys})`,
    body,
    "}",
  );
}

/** Tiles of keys, `n` from `t` on; and the `last` from `before` on, those of an earlier turn, whose sums are made in this one. */
export const overKeys = ({ tile: { keys, rows, lag } }: Cut<Tiling>, body: string): string => `
  for j in 0 .. tiles + ${lag} {
    let t = begin + j * ${keys}
    let n = max(0, min(${keys}, limit - t))
    let before = t - ${lag * keys}
    let last = max(0, min(${keys}, limit - before)) * min(1, max(0, j + ${1 - lag}))
    let slot = j mod ${lag + 1} * ${rows}
    let lastSlot = (j + 1) mod ${lag + 1}
    ${body}
  }`;

/** Chunks of sums, `some` columns from `w` on. */
export const overChunks = ({ wide, tile: { columns } }: Cut, ...body: (string | false)[]): string =>
  lines(`for w in 0 .. ${wide} step ${columns} {`, `let some = min(${columns}, ${wide} - w)`, ...body, "}");

/** Of a tile's rows, the `lines` from `line` on that are this vector core's: some of its queries, or of its heads where it has one query. */
export const shareText = (cut: Cut<Tiling>): string =>
  isMasked(cut)
    ? `
    let firstQuery = core * ceil(queries, cores)
    let firstHead = 0
    let own = max(0, min(ceil(queries, cores), queries - firstQuery))
    let mine = heads
    let lines = own * mine
    let line = firstQuery * heads`
    : `
    let firstQuery = 0
    let firstHead = core * ceil(heads, cores)
    let own = queries
    let mine = max(0, min(ceil(heads, cores), heads - firstHead))
    let lines = own * mine
    let line = firstHead`;
