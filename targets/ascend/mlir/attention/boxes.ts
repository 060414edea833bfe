/** Where an item's rows, keys, values and scores lie. */
import { pitchOf, type AttentionSpec } from "../../../device/kernels/attention/attention.ts";
import type { View } from "../../../device/kernels/vector/tile.ts";
import type { Box } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import type { Scope } from "../kernel.ts";
import { offsetOf, plus, times, type Index } from "../writer.ts";
import { headsOf, shared, type Item } from "./items.ts";

/** A tile of keys: the first, and how many there are of it. */
export type Keys = { readonly key: Index; readonly there: Index };

/** The item's rows of q or of the result, `width` columns from `column`. */
export function rowsBox(
  { w, size }: Scope,
  spec: AttentionSpec,
  name: string,
  view: View,
  { sequence, query, head, rows: valid }: Pick<Item, "sequence" | "query" | "head" | "rows">,
  rows: number,
  columns: readonly [from: Index, width: number] = [0, view.width],
): Box {
  const heads = headsOf(view);
  const { rowStride = heads * view.width, headStride = view.width } = view;
  const row = plus(w, `${name}.row`, times(w, `${name}.rows`, sequence, size("S")), query);
  const [from, width] = columns;
  return {
    array: { name, element: elementOf(view.dtype) },
    offset: offsetOf(w, `${name}.offset`, [row, rowStride], [head, headStride], [from, 1]),
    strides: [shared(spec) > 1 ? headStride : rowStride, 1],
    sizes: [rows, width],
    valid: [valid, width],
  };
}

/** The item's rows of what pieces give, [pieces, B, S, heads, width] of float32. */
export function pieceBox(
  { w, size }: Scope,
  spec: AttentionSpec,
  name: string,
  width: number,
  item: Item,
  rows: number,
): Box {
  const heads = headsOf(spec.q);
  const sequence = plus(
    w,
    `${name}.sequence`,
    times(w, `${name}.pieces`, item.piece, size("B")),
    item.sequence,
  );
  const row = plus(w, `${name}.row`, times(w, `${name}.rows`, sequence, size("S")), item.query);
  const stride = shared(spec) > 1 ? width : heads * width;
  return {
    array: { name, element: "f32" },
    offset: offsetOf(w, `${name}.offset`, [row, heads * width], [item.head, width]),
    strides: width === 1 ? [stride] : [stride, 1],
    sizes: width === 1 ? [rows] : [rows, width],
    valid: width === 1 ? [item.rows] : [item.rows, width],
  };
}

/** A group's keys or values, `width` columns from `column`. */
export function keysBox(
  { w, size }: Scope,
  name: string,
  view: View,
  { sequence, group }: Pick<Item, "sequence" | "group">,
  { key, there }: Keys,
  keys: number,
  columns: readonly [from: Index, width: number] = [0, view.width],
): Box {
  const heads = headsOf(view);
  const { rowStride = heads * view.width, headStride = view.width } = view;
  const all = plus(w, `${name}.all`, size("P"), size("S"));
  const row = plus(w, `${name}.row`, times(w, `${name}.rows`, sequence, all), key);
  const [from, width] = columns;
  return {
    array: { name, element: elementOf(view.dtype) },
    offset: offsetOf(w, `${name}.offset`, [row, rowStride], [group, headStride], [from, 1]),
    strides: [rowStride, 1],
    sizes: [keys, width],
    valid: [there, width],
  };
}

/** Scores of heads from `head` on, f32 [B, heads, P + S], a row of which has room for all keys. */
export function scoresBox(
  { w }: Scope,
  spec: AttentionSpec,
  { sequence, head, rows: valid }: Pick<Item, "sequence" | "head" | "rows">,
  { key, there }: Keys,
  [rows, keys]: readonly [number, number],
): Box {
  const pitch = pitchOf(spec);
  return {
    array: { name: "scores", element: "f32" },
    offset: offsetOf(w, "scores.offset", [sequence, headsOf(spec.q) * pitch], [head, pitch], [key, 1]),
    strides: [pitch, 1],
    sizes: [rows, keys],
    valid: [valid, there],
  };
}
