import type { Node, NodeOf, Value } from "../ir/graph.ts";
import type { OpName } from "../ir/ops/index.ts";

type Shape =
  | { readonly kind: "any"; readonly name: string }
  | {
      readonly kind: "op";
      readonly op: OpName;
      readonly operands: readonly Pattern[];
      readonly name?: string;
      readonly shared?: boolean;
    };

/** What a value must look like. `C` is what matching binds; it exists for the type checker only. */
export type Pattern<C = unknown> = Shape & { readonly captures?: C };
export type OpPattern<K extends OpName, C> = Extract<Shape, { kind: "op" }> & {
  readonly captures?: C;
  readonly of?: K;
};

type CapturesOf<P> = P extends readonly [Pattern<infer A>, ...infer R] ? A & CapturesOf<R> : unknown;

/** Any value, bound to `name`. A name that occurs twice must find the same value twice. */
export const any = <const N extends string>(name: N): Pattern<{ readonly [K in N]: Value }> => ({
  kind: "any",
  name,
});

/** A node of operator `name`. With no operand patterns its operands are free; `add` and `mul` match in both orders. */
export const op = <K extends OpName, const P extends readonly Pattern[]>(
  name: K,
  ...operands: P
): OpPattern<K, CapturesOf<P>> => ({ kind: "op", op: name, operands });

/** Binds the node that a pattern matches, with its attributes typed. */
export const node = <const N extends string, K extends OpName, C>(
  name: N,
  pattern: OpPattern<K, C>,
): OpPattern<K, C & { readonly [X in N]: NodeOf<K> }> => ({
  kind: "op",
  op: pattern.op,
  operands: pattern.operands,
  name,
  ...(pattern.shared && { shared: true }),
});

/** Lets other nodes read the values of an inner node; else a rule does not fire, as its work would be done twice. */
export const shared = <K extends OpName, C>(pattern: OpPattern<K, C>): OpPattern<K, C> => ({
  ...pattern,
  shared: true,
});

/** A `weight` node, bound to `name`. */
export const weight = <const N extends string>(name: N) => node(name, op("weight"));

/** A `constant` node, bound to `name`. */
export const constant = <const N extends string>(name: N) => node(name, op("constant"));

export type Bindings = ReadonlyMap<string, Value | Node>;

/** One way a pattern matched: what it bound, the nodes it covers, and those whose values nobody else may read. */
export type Match = {
  readonly bindings: Bindings;
  readonly nodes: readonly Node[];
  readonly exclusive: readonly Node[];
};

type Definition = (value: Value) => Node | undefined;
type Then = (match: Match) => boolean;

const commutative: ReadonlySet<OpName> = new Set<OpName>(["add", "mul"]);

/** Costs nothing to read twice, so patterns may always share it. */
export const isFree = (n: Node): boolean => n.op === "weight" || n.op === "constant";

function bind(match: Match, name: string | undefined, found: Value | Node): Match | undefined {
  if (name === undefined) return match;
  const earlier = match.bindings.get(name);
  if (earlier !== undefined) return earlier === found ? match : undefined;
  return { ...match, bindings: new Map(match.bindings).set(name, found) };
}

/** Try every way `root` can match and hand each to `then`, until one is accepted. */
export function matchNode(pattern: Pattern, root: Node, definition: Definition, then: Then): boolean {
  const start = { bindings: new Map(), nodes: [], exclusive: [] };
  return pattern.kind === "op" && coverNode(pattern, root, true, start, definition, then);
}

function coverNode(
  pattern: Extract<Pattern, { kind: "op" }>,
  found: Node,
  isRoot: boolean,
  match: Match,
  definition: Definition,
  then: Then,
): boolean {
  if (found.op !== pattern.op) return false;
  const bound = bind(match, pattern.name, found);
  if (!bound) return false;
  const free = isRoot || pattern.shared === true || isFree(found);
  const covered: Match = {
    bindings: bound.bindings,
    nodes: [...bound.nodes, found],
    exclusive: free ? bound.exclusive : [...bound.exclusive, found],
  };
  const { operands } = pattern;
  if (operands.length === 0) return then(covered);
  if (operands.length !== found.operands.length) return false;
  const inOrder = (values: readonly Value[]) => coverAll(operands, values, 0, covered, definition, then);
  if (inOrder(found.operands)) return true;
  return commutative.has(found.op) && inOrder(found.operands.toReversed());
}

function coverAll(
  patterns: readonly Pattern[],
  found: readonly Value[],
  from: number,
  match: Match,
  definition: Definition,
  then: Then,
): boolean {
  const pattern = patterns[from];
  const value = found[from];
  if (!pattern || !value) return then(match);
  const rest: Then = (m) => coverAll(patterns, found, from + 1, m, definition, then);
  if (pattern.kind === "any") {
    const bound = bind(match, pattern.name, value);
    return bound !== undefined && rest(bound);
  }
  const maker = definition(value);
  return maker?.results[0] === value && coverNode(pattern, maker, false, match, definition, rest);
}
