import { buildFunc, type Builder } from "../../src/ir/builder.ts";
import type { AttrValue } from "../../src/ir/attributes.ts";
import { substituteDim, type Dim } from "../../src/ir/dim.ts";
import { definitions, isOp, type Func, type Module, type Node, type Value } from "../../src/ir/graph.ts";
import { definitionOf, type OpName } from "../../src/ir/ops/index.ts";

/** A graph as a decoder, or what of it is none. */
export type Decoder =
  { readonly module: Module; readonly layers: number; readonly vocab: number } | { readonly because: string };

/** Thrown by a conversion that meets something a decoder cannot have. */
class NotDecoder extends Error {}
const notDecoder = (why: string): never => {
  throw new NotDecoder(why);
};

/** Operators that work on each token by itself, first axes of size 1 aside. */
const rowwise: ReadonlySet<OpName> = new Set<OpName>([
  "reshape",
  "slice",
  "concat",
  "add",
  "sub",
  "mul",
  "div",
  "neg",
  "cast",
  "broadcast",
  "transpose",
  "rmsNorm",
  "addRmsNorm",
  "linear",
  "silu",
  "sigmoid",
  "tanh",
  "swiglu",
  "swigluPacked",
  "router",
  "experts",
  "weight",
  "constant",
]);

const nameOf = (node: Node): string => `${node.op} (${node.origin[0] ?? "no name"})`;

/** The ids of a graph: its parameter of whole numbers that a table is read by. */
function idsOf(func: Func): { readonly ids: Value; readonly tokens: string; readonly table: Node } {
  for (const node of func.body) {
    const ids = node.operands[1];
    if (!isOp(node, "take") || node.attrs.axis !== 0 || !func.params.some((p) => p === ids)) continue;
    const tokens = ids?.type.dims.at(-1);
    if (ids && typeof tokens === "string") return { ids, tokens, table: node };
  }
  return notDecoder("no table is read by an input of ids");
}

/** One phase of a decoder: `tokens` new tokens a call, behind P in caches of its own. */
function phaseOf(
  func: Func,
  name: string,
  tokens: Dim,
): { readonly func: Func; readonly layers: number; readonly vocab: number } {
  const { ids: oldIds, tokens: oldTokens, table } = idsOf(func);
  const made = definitions(func);
  const b: Builder = buildFunc(name);
  const ids = b.param("ids", { dtype: "i32", dims: [tokens] });
  const positions = b.param("positions", { dtype: "i32", dims: [tokens] });
  const mapped = new Map<Value, Value>();
  const inOrder: (readonly [string, Value])[] = [];
  let layers = 0;

  const dim = (d: Dim): Dim => substituteDim(d, oldTokens, tokens);
  const attrsOf = (node: Node): Record<string, AttrValue> =>
    Object.fromEntries(
      Object.entries(definitionOf(node.op).attrs).map(([key, schema]): [string, AttrValue] => {
        const value = node.attrs[key] ?? 0;
        if (schema.kind === "dims") return [key, (value as readonly Dim[]).map(dim)];
        return [key, schema.kind === "dim" ? dim(value as Dim) : value]; // by the schema
      }),
    );
  const operand = (node: Node, i: number): Value =>
    node.operands[i] ?? notDecoder(`${nameOf(node)} lacks an operand`);

  /** The rows of new tokens in keys of all: what the graph puts behind its own past, or all there is. */
  const rowsOf = (value: Value): Value => {
    if (value.type.dims[0] === oldTokens) return convert(value);
    const node = made.get(value);
    const last = node?.operands.at(-1);
    if (isOp(node, "concat") && node.attrs.axis === 0 && last?.type.dims[0] === oldTokens)
      return convert(last);
    if (isOp(node, "concat")) return b.op("concat", node.operands.map(rowsOf), node.attrs, node.origin);
    if (isOp(node, "reshape")) {
      const rows = rowsOf(operand(node, 0));
      return b.op("reshape", [rows], { dims: [tokens, ...value.type.dims.slice(1)] }, node.origin);
    }
    return notDecoder(`the keys of ${node ? nameOf(node) : "an input"} are not rows of tokens`);
  };
  /** A value before its last axis was put in another order, and that order. */
  const unordered = (
    value: Value | undefined,
  ): { readonly value: Value; readonly order: string } | undefined => {
    const node = value && made.get(value);
    const [from, at] = node?.operands ?? [];
    if (isOp(node, "reshape")) return unordered(from);
    const order = at && made.get(at);
    if (!isOp(node, "take") || !from || !isOp(order, "constant")) return undefined;
    return { value: from, order: order.attrs.values.join() };
  };

  /** The old value of the rows that a key gets for new tokens. */
  const newest = (value: Value): Value => {
    const node = made.get(value);
    const last = node?.operands.at(-1);
    const grows = isOp(node, "concat") && node.attrs.axis === 0 && value.type.dims[0] !== oldTokens;
    return grows && last ? newest(last) : value;
  };

  /** Rotated queries and the rows of latent keys; an order that both were put in has no say in their products. */
  const rotated = (query: Value, cache: Value): readonly [Value, Value] => {
    const joined = made.get(cache);
    const [latent, key] = isOp(joined, "concat") && joined.attrs.axis === 1 ? joined.operands : [];
    const [q, k] = [unordered(query), key && unordered(newest(key))];
    if (!latent || !q || !k || q.order !== k.order) return [convert(query), rowsOf(cache)];
    const width = k.value.type.dims.at(-1) ?? 1;
    const plain = b.op("reshape", [convert(k.value)], { dims: [tokens, width] });
    return [convert(q.value), b.op("concat", [rowsOf(latent), plain], { axis: 1 }, joined?.origin)];
  };

  const cached = (kind: string, rows: Value, origin: readonly string[]): Value => {
    const cache = b.param(`${kind}.${layers}`, { dtype: "f32", dims: ["P", ...rows.type.dims.slice(1)] });
    const grown = b.op("cacheAppend", [cache, rows], {}, origin);
    inOrder.push([`${kind}.${layers}`, grown]);
    return grown;
  };

  const attend = (node: Node): readonly Value[] => {
    const { origin } = node;
    if (isOp(node, "latentAttention")) {
      if (node.operands.length > 4) return notDecoder(`${nameOf(node)} has a mask`);
      const nope = convert(operand(node, 0));
      const [rope, rows] = rotated(operand(node, 1), operand(node, 2));
      const cache = cached("latent", rows, origin);
      layers++;
      return b.multi("latentAttention", [nope, rope, cache, convert(operand(node, 3))], node.attrs, origin);
    }
    if (!isOp(node, "attention") || node.operands.length > 3) return notDecoder(`${nameOf(node)} has a mask`);
    const q = convert(operand(node, 0));
    const k = cached("keys", rowsOf(operand(node, 1)), origin);
    const v = cached("values", rowsOf(operand(node, 2)), origin);
    layers++;
    return b.multi("attention", [q, k, v], node.attrs, origin);
  };

  const make = (node: Node): readonly Value[] => {
    if (node === table) {
      const rows = b.op("gather", [convert(operand(node, 0)), ids], {}, node.origin);
      return [b.op("reshape", [rows], { dims: (node.results[0]?.type.dims ?? []).map(dim) }, node.origin)];
    }
    if (node.op === "attention" || node.op === "latentAttention") return attend(node);
    if (isOp(node, "rope"))
      return b.multi(
        "rope",
        [convert(operand(node, 0)), positions, convert(operand(node, 2))],
        node.attrs,
        node.origin,
      );
    if (!rowwise.has(node.op)) return notDecoder(`${nameOf(node)} is no operator of a decoder`);
    return b.multi(node.op, node.operands.map(convert), attrsOf(node) as never, node.origin); // of the same operator
  };

  const convert = (value: Value): Value => {
    const known = mapped.get(value);
    if (known) return known;
    const node = made.get(value);
    if (!node)
      return notDecoder(
        value === oldIds ? "its ids are read by more than a table" : `it reads input ${value.name ?? ""}`,
      );
    const results = make(node);
    node.results.forEach((old, i) => {
      const now = results[i];
      if (now) mapped.set(old, now);
    });
    return mapped.get(value) ?? notDecoder(`${nameOf(node)} has no such result`);
  };

  const logits =
    func.results.find((r) => r.name === "logits")?.value ?? notDecoder("it has no output logits");
  const vocab = logits.type.dims.at(-1);
  if (typeof vocab !== "number") return notDecoder("its logits are of no fixed width");
  const out = b.op("reshape", [convert(logits)], { dims: [tokens, vocab] });
  for (const [cache, value] of inOrder) b.result(cache, value);
  b.result("logits", out);
  return { func: b.finish(), layers, vocab };
}

/**
 * A graph that gives logits for ids, with caches of its own: prefill and decode as the import of a checkpoint has them. Its past,
 * where it takes one, its masks of causality and its other outputs go.
 */
export function asDecoder(func: Func): Decoder {
  try {
    const prefill = phaseOf(func, "prefill", "S");
    const decode = phaseOf(func, "decode", 1);
    return { module: { funcs: [prefill.func, decode.func] }, layers: prefill.layers, vocab: prefill.vocab };
  } catch (error) {
    if (error instanceof NotDecoder) return { because: error.message };
    throw error;
  }
}
