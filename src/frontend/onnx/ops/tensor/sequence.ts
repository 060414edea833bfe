import {
  axisOf,
  dimOf,
  extent,
  fixedDim,
  flagOf,
  intOf,
  isValue,
  needKnown,
  rankOf,
  reshape,
  scalar,
  slice,
  unsupported,
  type Item,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";

const itemsOf = (cx: LoweringContext, i: number): readonly Item[] => {
  const item = cx.item(i);
  return item && !isValue(item) && item.kind === "sequence"
    ? item.items
    : unsupported(`input ${i} is no sequence`);
};
const sequence = (items: readonly Item[]): Item => ({ kind: "sequence", items });

const position = (cx: LoweringContext, i: number, length: number): number =>
  axisOf(needKnown(cx, i, "position")[0] ?? 0, length);

/** Parts of an axis: of given sizes, or of one element each. */
function split(cx: LoweringContext): Item {
  const x = cx.input(0);
  const axis = axisOf(intOf(cx, "axis", 0), rankOf(x));
  const size = fixedDim(dimOf(x, axis), "the axis");
  const given = cx.optional(1) && needKnown(cx, 1, "list of sizes");
  const chunk = given && cx.optional(1)?.type.dims.length === 0 ? (given[0] ?? 1) : 1;
  const even = Array.from({ length: Math.ceil(size / chunk) }, (_, i) => Math.min(chunk, size - i * chunk));
  const sizes = given && cx.optional(1)?.type.dims.length === 1 ? given : even;
  const keep = given !== undefined || flagOf(cx, "keepdims", true);
  let begin = 0;
  return sequence(
    sizes.map((n) => {
      begin += n;
      const part = slice(cx, x, axis, begin - n, begin);
      return keep ? part : reshape(cx, part, part.type.dims.toSpliced(axis, 1));
    }),
  );
}

function concatenated(cx: LoweringContext): Item {
  const parts = itemsOf(cx, 0).map((item) =>
    isValue(item) ? item : unsupported("its items are no tensors"),
  );
  const isNew = flagOf(cx, "new_axis");
  const rank = (parts[0] ? rankOf(parts[0]) : 0) + (isNew ? 1 : 0);
  const axis = axisOf(intOf(cx, "axis", 0), rank);
  const wide = isNew ? parts.map((x) => reshape(cx, x, x.type.dims.toSpliced(axis, 0, 1))) : parts;
  return cx.op("concat", wide, { axis });
}

/** Sequences and optionals: their lengths are known at import, so they leave no trace in the IR. */
export const sequences: LoweringTable = {
  SequenceEmpty: () => [sequence([])],
  SequenceConstruct: (cx) => [sequence(cx.node.inputs.map((_, i) => cx.input(i)))],
  SequenceInsert: (cx) => {
    const items = itemsOf(cx, 0);
    const at = cx.optional(2) ? position(cx, 2, items.length) : items.length;
    return [sequence(items.toSpliced(at, 0, cx.input(1)))];
  },
  SequenceErase: (cx) => {
    const items = itemsOf(cx, 0);
    return [sequence(items.toSpliced(cx.optional(1) ? position(cx, 1, items.length) : items.length - 1, 1))];
  },
  SequenceAt: (cx) => {
    const items = itemsOf(cx, 0);
    return [items[position(cx, 1, items.length)] ?? unsupported("it takes an item that is not there")];
  },
  SequenceLength: (cx) => [extent(cx, [itemsOf(cx, 0).length])],
  SplitToSequence: (cx) => [split(cx)],
  ConcatFromSequence: (cx) => [concatenated(cx)],
  Optional: (cx) => [cx.item(0) ?? { kind: "nothing" }],
  OptionalHasElement: (cx) => {
    const item = cx.item(0);
    return [scalar(cx, "bool", item && (isValue(item) || item.kind !== "nothing") ? 1 : 0)];
  },
  OptionalGetElement: (cx) => {
    const item = cx.item(0);
    return [
      item && (isValue(item) || item.kind !== "nothing") ? item : unsupported("it takes what is not there"),
    ];
  },
};
