import { makeNode } from "../ir/builder.ts";
import type { Func, Node, Value } from "../ir/graph.ts";
import type { OpAttrs, OpName } from "../ir/ops/index.ts";
import { formatType, sameType } from "../ir/types.ts";
import { isFree } from "./pattern.ts";
import { inOrder } from "./order.ts";

/** An old value and the new one that takes its place. */
export type Replacement = readonly [old: Value, by: Value];

/** What a rewrite may look at and make. */
export type Site = {
  readonly definition: (value: Value) => Node | undefined;
  /** The nodes that read a value. */
  readonly readers: (value: Value) => ReadonlySet<Node>;
  readonly isResult: (value: Value) => boolean;
  /** Make a node and give its first result. */
  readonly make: <K extends OpName>(op: K, operands: readonly Value[], attrs: OpAttrs<K>) => Value;
  /** Make a node and give all its results. */
  readonly multi: <K extends OpName>(
    op: K,
    operands: readonly Value[],
    attrs: OpAttrs<K>,
  ) => readonly Value[];
};

/** A function being rewritten: readers and definitions are kept up to date, the input stays as it was. */
export type Editor = {
  readonly site: Site;
  /** The nodes as they stand now; those made while walking are not visited. */
  readonly walk: (visit: (node: Node) => void) => void;
  /**
   * Put the nodes that `site` made since the last call in the place of `at`, with the origins of `covered`,
   * and drop what nothing reads any more.
   */
  readonly replace: (at: Node, covered: readonly Node[], replacements: readonly Replacement[]) => void;
  /** Forget the nodes that `site` made since the last call. */
  readonly abandon: () => void;
  readonly finish: () => Func;
};

const unique = (names: readonly string[]): readonly string[] => [...new Set(names)];

/** Open a function for rewriting. */
export function edit(func: Func): Editor {
  const slots: Node[][] = func.body.map((node) => [node]);
  const slotOf = new Map<Node, number>(func.body.map((node, i) => [node, i]));
  const makers = new Map<Value, Node>();
  const readers = new Map<Value, Set<Node>>();
  const results = func.results.map((r) => r.value);
  let resultSet = new Set(results);
  let made: Node[] = [];
  let changed = false;
  const nobody: ReadonlySet<Node> = new Set();

  const link = (node: Node) => {
    for (const value of node.results) makers.set(value, node);
    for (const value of node.operands) {
      const set = readers.get(value);
      if (set) set.add(node);
      else readers.set(value, new Set([node]));
    }
  };
  const unlink = (node: Node) => {
    for (const value of node.operands) readers.get(value)?.delete(node);
  };
  func.body.forEach(link);

  const swap = (node: Node, by: readonly Node[]) => {
    const slot = slotOf.get(node);
    if (slot === undefined) return;
    const nodes = slots[slot] ?? [];
    nodes.splice(nodes.indexOf(node), 1, ...by);
    slotOf.delete(node);
    unlink(node);
    for (const n of by) slotOf.set(n, slot);
    by.forEach(link);
  };
  const isRead = (node: Node) =>
    node.results.some((v) => resultSet.has(v) || (readers.get(v)?.size ?? 0) > 0);
  const dropUnread = (start: readonly Node[]) => {
    const queue = [...start];
    for (let node = queue.pop(); node; node = queue.pop()) {
      if (!slotOf.has(node) || isRead(node)) continue;
      swap(node, []);
      for (const v of node.results) makers.delete(v);
      for (const v of node.operands) {
        const maker = makers.get(v);
        if (maker) queue.push(maker);
      }
    }
  };
  const redirect = (old: Value, by: Value) => {
    for (const reader of [...(readers.get(old) ?? nobody)])
      swap(reader, [{ ...reader, operands: reader.operands.map((v) => (v === old ? by : v)) }]);
    if (!resultSet.has(old)) return;
    results.forEach((v, i) => (results[i] = v === old ? by : v));
    resultSet = new Set(results);
  };

  const multi: Site["multi"] = (op, operands, attrs) => {
    const node = makeNode(op, operands, attrs);
    made.push(node);
    for (const value of node.results) makers.set(value, node);
    return node.results;
  };
  const site: Site = {
    definition: (value) => makers.get(value),
    readers: (value) => readers.get(value) ?? nobody,
    isResult: (value) => resultSet.has(value),
    multi,
    make: (op, operands, attrs) => {
      const [first] = multi(op, operands, attrs);
      if (!first) throw new Error(`${op} has no result`);
      return first;
    },
  };

  return {
    site,
    walk: (visit) => {
      for (const slot of slots) for (const node of [...slot]) if (slotOf.has(node)) visit(node);
    },
    replace: (at, covered, replacements) => {
      for (const [old, by] of replacements)
        if (!sameType(old.type, by.type))
          throw new Error(`${at.op}: ${formatType(old.type)} replaced by ${formatType(by.type)}`);
      const origins = (free: boolean) =>
        unique(covered.filter((n) => isFree(n) === free).flatMap((n) => n.origin));
      const [ofFree, ofOthers] = [origins(true), origins(false)];
      const fresh = made.map((n): Node => ({ ...n, origin: isFree(n) ? ofFree : ofOthers }));
      made = [];
      swap(at, [...fresh, at]);
      for (const [old, by] of replacements) redirect(old, by);
      dropUnread([...fresh, ...replacements.map(([old]) => makers.get(old)), at].filter((n) => !!n));
      changed = true;
    },
    abandon: () => {
      for (const node of made) for (const value of node.results) makers.delete(value);
      made = [];
    },
    finish: () => {
      if (!changed) return func;
      return {
        ...func,
        body: inOrder(slots.flat()),
        results: func.results.map((r, i) => ({ ...r, value: results[i] ?? r.value })),
      };
    },
  };
}
