import type { AttentionSpec } from "../../../device/kernels/attention/attention.ts";
import { load, store } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import type { Scope } from "../kernel.ts";
import {
  alongRows,
  binary,
  converted,
  filled,
  like,
  multiplied,
  transposed,
  type Tensor,
} from "../tensors.ts";
import { carrying, least, minus, plus } from "../writer.ts";
import { keysBox, pieceBox, rowsBox, scoresBox, type Keys } from "./boxes.ts";
import type { AttentionCut } from "./cut.ts";
import { overItems, type Item } from "./items.ts";
import { turn } from "./turn.ts";

/** Attention by tiles of keys with a running softmax, on groups of a cube and its vector cores. */
export function attention(scope: Scope, spec: AttentionSpec, cut: AttentionCut): void {
  const { w } = scope;
  const { rows, keys, columns } = cut;
  overItems(scope, spec, cut, (item) => {
    const scores = cut.isDealt ? madeBefore(scope, spec, cut, item) : madeHere(scope, spec, cut, item);
    const first = [
      filled(w, "sums", 0, [rows, columns], "f32"),
      filled(w, "most", -Infinity, [rows], "f32"),
      filled(w, "weight", 0, [rows], "f32"),
    ] as const;
    const run = minus(w, "run", item.to, item.from);
    const last = carrying(w, "key.at", [0, run, keys], first, (at, [sums, most, weight]) => {
      const key = plus(w, "key", item.from, at);
      const there = { key, there: least(w, "keys", minus(w, "keys.left", item.to, key), keys) };
      const before = [like(sums, first[0]), like(most, first[1]), like(weight, first[2])] as const;
      return turn(scope, spec, item, there, scores(there), values(scope, spec, cut, item, there), before);
    });
    const [sums, most, weight] = first.map((it, i) => like(last[i], it)) as [Tensor, Tensor, Tensor]; // as many as before
    if (cut.pieces > 1) leavePiece(scope, spec, cut, item, [sums, most, weight]);
    else leaveWhole(scope, spec, cut, item, [sums, weight]);
  });
}

/** Scores of a tile of keys, made of queries and keys; the queries are there throughout. */
function madeHere(
  scope: Scope,
  spec: AttentionSpec,
  { rows, keys }: AttentionCut,
  item: Item,
): (at: Keys) => Tensor {
  const { w } = scope;
  const { q: queries, k, tail } = spec;
  const own = k.width;
  const q = load(w, "q", rowsBox(scope, spec, "q", queries, item, rows, [0, own]));
  const last = tail && load(w, "q", rowsBox(scope, spec, "q", queries, item, rows, [own, tail.width]));
  return (at) => {
    const turned = transposed(w, "k.turned", load(w, "k", keysBox(scope, "k", k, item, at, keys)));
    const scores = multiplied(w, "scores", q, turned, filled(w, "scores.none", 0, [rows, keys], "f32"));
    if (!tail || !last) return scores;
    // All heads share it: it has one group.
    const box = keysBox(scope, "tail", tail, { ...item, group: 0 }, at, keys);
    return multiplied(w, "scores.all", last, transposed(w, "tail.turned", load(w, "tail", box)), scores);
  };
}

/** Scores of a tile of keys that a kernel of their own made. */
const madeBefore =
  (scope: Scope, spec: AttentionSpec, { rows, keys }: AttentionCut, item: Item) =>
  (at: Keys): Tensor =>
    load(scope.w, "scores", scoresBox(scope, spec, item, at, [rows, keys]));

/** Values of a tile of keys: the first columns of the keys where they have none of their own, by the name that the kernel has for them. */
function values(
  scope: Scope,
  { k, v, out }: AttentionSpec,
  { keys, columns, isDealt }: AttentionCut,
  item: Item,
  at: Keys,
): Tensor {
  const own = v ?? {
    ...k,
    rowStride: k.rowStride ?? (k.heads ?? 1) * k.width,
    headStride: k.headStride ?? k.width,
  };
  const name = v || isDealt ? "v" : "k";
  const box = keysBox(scope, name, { ...own, width: out.width }, item, at, keys, [item.column, columns]);
  return load(scope.w, "v", box, 0); // what is no value would be multiplied by the zeros of keys that nobody sees
}

function leaveWhole(
  scope: Scope,
  spec: AttentionSpec,
  { rows, columns }: AttentionCut,
  item: Item,
  [sums, weight]: readonly [Tensor, Tensor],
): void {
  const { w } = scope;
  const y = binary(w, "y", "arith.divf", sums, alongRows(w, "weight.wide", weight, sums));
  const box = rowsBox(scope, spec, "out", spec.out, item, rows, [item.column, columns]);
  store(w, "out", box, converted(w, "y.out", y, elementOf(spec.out.dtype)));
}

function leavePiece(
  scope: Scope,
  spec: AttentionSpec,
  { rows, columns }: AttentionCut,
  item: Item,
  [sums, most, weight]: readonly [Tensor, Tensor, Tensor],
): void {
  const { w } = scope;
  store(w, "partial", pieceBox(scope, spec, "partial", columns, item, rows), sums);
  store(w, "weights", pieceBox(scope, spec, "weights", 1, item, rows), weight);
  store(w, "maxima", pieceBox(scope, spec, "maxima", 1, item, rows), most);
}
