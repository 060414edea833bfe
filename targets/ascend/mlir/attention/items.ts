/** What cores of a group take in turn: a tile of queries, with heads that share keys, a piece of these, and columns of values. */
import type { AttentionSpec } from "../../../device/kernels/attention/attention.ts";
import type { View } from "../../../device/kernels/vector/tile.ts";
import type { Scope } from "../kernel.ts";
import { ceilOver, least, loop, minus, modulo, over, plus, times, type Index } from "../writer.ts";
import type { AttentionCut } from "./cut.ts";

/** What one turn of a core works on. */
export type Item = {
  readonly sequence: Index;
  readonly query: Index;
  /** Rows there are of the tile's, and the first one's head. */
  readonly rows: Index;
  readonly head: Index;
  readonly group: Index;
  readonly piece: Index;
  /** Columns of values from here on. */
  readonly column: Index;
  readonly from: Index;
  readonly to: Index;
};

export const headsOf = ({ heads = 1 }: View): number => heads;
export const shared = ({ q, k }: AttentionSpec): number => headsOf(q) / headsOf(k);

/** The items of this core, a tile of rows and a piece of their keys each. */
export function overItems(
  { w, core, cores, size }: Scope,
  spec: AttentionSpec,
  cut: AttentionCut,
  body: (item: Item) => void,
): void {
  const groups = headsOf(spec.k);
  const together = shared(spec);
  const ofHeads = together > 1;
  const parts = ofHeads ? Math.ceil(together / cut.rows) : 1;
  const [sequences, queries, past] = [size("B"), size("S"), size("P")];
  const deals = spec.out.width / cut.columns;
  const rounds = ofHeads ? queries : ceilOver(w, "rounds", queries, cut.rows);
  const each = times(w, "each", rounds, groups * parts * cut.pieces * deals);
  loop(w, "item", [core, times(w, "items", sequences, each), cores], (item) => {
    const sequence = over(w, "sequence", item, each);
    const rest = modulo(w, "rest", item, each);
    const piece = modulo(w, "piece", rest, cut.pieces);
    const dealt = over(w, "dealt", rest, cut.pieces);
    const column = times(w, "column", modulo(w, "deal", dealt, deals), cut.columns);
    const place = over(w, "place", dealt, deals);
    const round = modulo(w, "round", place, rounds);
    const part = over(w, "part", place, rounds);
    const query = ofHeads ? round : times(w, "query", round, cut.rows);
    const first = times(w, "first", modulo(w, "of.group", part, parts), cut.rows);
    const group = over(w, "group", part, parts);
    const head = plus(w, "head", times(w, "group.head", group, together), first);
    const left = ofHeads ? minus(w, "left", together, first) : minus(w, "left", queries, query);
    const rows = least(w, "rows", left, cut.rows);
    const seen = plus(w, "seen", plus(w, "before", past, query), ofHeads ? 1 : rows);
    const run = times(
      w,
      "run",
      ceilOver(w, "run.tiles", ceilOver(w, "tiles", seen, cut.keys), cut.pieces),
      cut.keys,
    );
    const from = times(w, "from", piece, run);
    const to = cut.pieces > 1 ? least(w, "to", seen, plus(w, "end", from, run)) : seen;
    body({ sequence, query, rows, head, group, piece, column, from, to });
  });
}
