import { isOp, type Func, type Node, type Param, type Value } from "../../ir/graph.ts";

/**
 * A stretch of a function that reads one value of what went before, the function's parameters, and weights. Segments run one after
 * another hold one stretch's weights at a time.
 */
export type Segment = {
  readonly nodes: readonly Node[];
  /** What it reads of the segment before it; absent in the first. */
  readonly input?: Value;
  /** What the next one reads; absent in the last. */
  readonly output?: Value;
};

const isFree = (node: Node): boolean => isOp(node, "weight") || isOp(node, "constant");

/** Values by the place where they are last read. What only the function's caller reads, as caches, ends no stretch. */
function lastReads(func: Func): ReadonlyMap<Value, number> {
  const last = new Map<Value, number>();
  func.body.forEach((node, i) => node.operands.forEach((v) => last.set(v, i)));
  return last;
}

/** Cut a function wherever all that follows reads a single value of what went before. Weights and constants belong to their readers. */
export function segments(func: Func): readonly Segment[] {
  const last = lastReads(func);
  const live = new Set<Value>();
  const found: Segment[] = [];
  let nodes: Node[] = [];
  let input: Value | undefined;
  func.body.forEach((node, i) => {
    if (isFree(node)) return;
    nodes.push(node);
    for (const v of node.results) if ((last.get(v) ?? -1) > i) live.add(v);
    for (const v of node.operands) if (last.get(v) === i) live.delete(v);
    const [output, ...more] = live;
    if (!output || more.length > 0 || output === input) return;
    found.push({ nodes, ...(input && { input }), output });
    [nodes, input] = [[], output];
  });
  return nodes.length > 0 ? [...found, { nodes, ...(input && { input }) }] : found;
}

/** A segment as a function of its own: its input as parameter `x`, `results` as what it gives. */
export function segmentFunc(func: Func, segment: Segment, results: Func["results"]): Func {
  const makers = new Map(
    func.body.filter(isFree).flatMap((n) => n.results.map((v): [Value, Node] => [v, n])),
  );
  const read = new Set(segment.nodes.flatMap((n) => n.operands));
  const free = [...new Set([...read].flatMap((v) => makers.get(v) ?? []))];
  const x: Param | undefined = segment.input && { name: "x", type: segment.input.type };
  const renamed = (v: Value): Value => (x && v === segment.input ? x : v);
  return {
    name: func.name,
    params: [...(x ? [x] : []), ...func.params.filter((p) => read.has(p))],
    body: [...free, ...segment.nodes.map((n) => ({ ...n, operands: n.operands.map(renamed) }))],
    results: results.map((r) => ({ ...r, value: renamed(r.value) })),
  };
}
