import { isOp, type Func, type Node, type NodeOf, type Param, type Value } from "../../src/ir/graph.ts";
import { boxOf, sameRange, whole, withoutAxis, type Box } from "./box.ts";
import { sliced, type Cut } from "./cut.ts";
import { groupRange } from "./ranges.ts";

type Maker = Cut["maker"];

/** The appended caches that a value is straight from: one, or codes and their scales. */
export function cachesBehind(maker: Maker, value: Value | undefined): readonly Node[] {
  const node = value && maker(value);
  if (isOp(node, "cacheAppend")) return [node];
  return isOp(node, "dequantizeRows") ? node.operands.flatMap((it) => cachesBehind(maker, it)) : [];
}

/** Caches of keys and values that groups of heads have to themselves: how many groups, by the cache and by what grew from it. */
export function groupCaches(func: Func, maker: Maker): ReadonlyMap<Value, number> {
  const groups = new Map<Value, number>();
  for (const node of func.body) {
    if (!isOp(node, "attention")) continue;
    const [, k, v] = node.operands;
    for (const append of [...cachesBehind(maker, k), ...cachesBehind(maker, v)])
      for (const value of [...append.operands.slice(0, 1), ...append.results])
        groups.set(value, Number(k?.type.dims[1]));
  }
  return groups;
}

/** The caches of a rank hold its own groups; those without groups are whole everywhere. */
export function cacheBox({ groups, tensors }: Pick<Cut, "groups" | "tensors">, value: Value): Box {
  const count = groups.get(value) ?? 1;
  return count > 1 && tensors.of > 1 ? boxOf(1, groupRange(count, tensors)) : whole;
}

/** A parameter as this rank has it. */
export function paramOf(cut: Pick<Cut, "groups" | "tensors">, value: Value): Param {
  const box = cacheBox(cut, value);
  const dims = value.type.dims.map((d, axis) => {
    const range = box.get(axis);
    return range ? Number(range.end) - Number(range.begin) : d;
  });
  return { name: value.name ?? "", type: { ...value.type, dims } };
}

/** A part of a cache and its new rows. */
export function appended(cut: Cut, node: NodeOf<"cacheAppend">, box: Box): Value {
  const [cache, rows] = node.operands;
  const [out] = node.results;
  if (!cache || !rows || !out) throw new Error("cacheAppend has two operands and a result");
  const mine = cacheBox(cut, out);
  const [grown] = cut.once("cache", node, mine, () =>
    cut.emit("cacheAppend", [cut.piece(cache, whole), cut.piece(rows, mine)], {}, node.origin),
  );
  if (!grown || !sameRange(mine.get(1), box.get(1)))
    throw new Error("a cache is read by parts that this rank has not");
  return sliced(cut, grown, withoutAxis(box, 1), node.origin);
}
