import type { Node, Value } from "../ir/graph.ts";

/**
 * The nodes with each after those it reads, otherwise in the order given. Nodes that stand well already are not
 * moved. Walks with a stack of its own: chains of adds are as long as a model is deep.
 */
export function inOrder(nodes: readonly Node[]): readonly Node[] {
  const makers = new Map<Value, Node>();
  for (const node of nodes) for (const value of node.results) makers.set(value, node);
  const placed = new Set<Node>();
  const open = new Set<Node>();
  const out: Node[] = [];
  for (const start of nodes) {
    const stack = [start];
    for (let node = stack.at(-1); node; node = stack.at(-1)) {
      const missing = placed.has(node)
        ? []
        : node.operands.map((v) => makers.get(v)).filter((n): n is Node => !!n && !placed.has(n));
      if (missing.length > 0) {
        if (open.has(node)) throw new Error(`${node.op} reads its own result`);
        open.add(node);
        stack.push(...missing.reverse());
        continue;
      }
      stack.pop();
      open.delete(node);
      if (!placed.has(node)) out.push(node);
      placed.add(node);
    }
  }
  return out;
}
