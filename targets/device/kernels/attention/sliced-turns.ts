/** The turns in which cores work through attention over many queries: they do not end with an item, as what is left of one is summed in the first turns of the next. */
import { backAndForth, type Cut } from "./cut.ts";
import type { SlicedTile } from "./sliced-tile.ts";

export type SlicedCut = Cut<SlicedTile>;

/** Tiles in scratch at a time. */
export const slots = ({ tile }: SlicedCut): number => tile.lag + 1;

export type Named = (name: string) => string;
export const same: Named = (name) => name;
const prefixed =
  (prefix: string): Named =>
  (name) =>
    `${prefix}${name[0]?.toUpperCase()}${name.slice(1)}`;
/** What of the item before is called, and of whichever item it is whose values are summed in a turn. */
export const [before, late] = [prefixed("before"), prefixed("late")];

/** Keys of a tile are a multiple of so many, as rows of so many numbers fill the vector unit's registers. */
const even = 64;

/**
 * Where an item's queries stand and which keys they see; one that there is not has no rows and sees none. Its keys are in even tiles, no fewer
 * than are under way, so that short items keep all cores busy too.
 */
function itemText({ shape, tile }: SlicedCut, item: string, named: Named): string {
  const of = (name: string): string => `let ${named(name)}`;
  const [is, rest, s, queries, limit] = ["is", "rest", "s", "queries", "limit"].map(named);
  return `
    ${of("is")} = (${item} < items) * (0 - 1 < ${item})
    ${of("rest")} = ${item} / rounds
    ${of("round")} = ${item} mod rounds
    ${of("s")} = ${backAndForth(named("round"), named("rest"))} * ${tile.queries}
    ${of("g")} = ${rest} mod ${shape.groups}
    ${of("b")} = ${rest} / ${shape.groups}
    ${of("queries")} = ${is} * min(${tile.queries}, S - ${s})
    ${of("rows")} = ${queries} * ${tile.heads}
    ${of("limit")} = ${is} * (P + ${s} + ${queries})
    ${of("tiles")} = max(${tile.lag}, ceil(${limit}, ${tile.keys}))
    ${of("size")} = ceil(ceil(${limit}, ${named("tiles")}), ${even}) * ${even}`;
}

/** What a turn needs to know of the item whose values it sums. */
const carried = ["tiles", "limit", "size", "rows", "b", "g", "s", "queries"];

/**
 * The turns of a group: of each item so many, and of one more, in which what is left of the last is done. A turn scores keys `t` to `t + n` of its item, and
 * sums the values of tile `i` of this item or the one before, `past` to `past + last`; tiles of scratch take turns, `now` and `then`.
 */
export const overTurns = (cut: SlicedCut, begin: string, body: string): string => {
  const { shape, tile } = cut;
  const { lag } = tile;
  return `
  let rounds = ceil(S, ${tile.queries})
  let items = B * rounds * ${shape.groups}
  for item in group .. items + groups step groups {
    ${itemText(cut, "item", same)}
    ${itemText(cut, "(item - groups)", before)}
    ${begin}
    for j in 0 .. tiles {
      let now = turn mod ${slots(cut)}
      let then = (turn + 1) mod ${slots(cut)}
      let t = j * size
      let n = max(0, min(size, limit - t))
      let isOwn = ${lag - 1} < j
      ${carried.map((it) => `let ${late(it)} = isOwn * ${it} + (1 - isOwn) * ${before(it)}`).join("\n")}
      let i = j - ${lag} + (1 - isOwn) * lateTiles
      let past = i * lateSize
      let last = max(0, min(lateSize, lateLimit - past))
      ${body}
    }
  }`;
};
