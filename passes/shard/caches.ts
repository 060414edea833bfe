import { isOp, type Func, type Node, type Value } from "../../src/ir/graph.ts";

type Maker = (value: Value) => Node | undefined;

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
