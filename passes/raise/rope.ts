import { divideDims, multiplyDims, productOf, type Dim } from "../../src/ir/dim.ts";
import { isOp, type Node, type Value } from "../../src/ir/graph.ts";
import type { Site } from "../../src/pass/edit.ts";
import { finderPass } from "../../src/pass/finder-pass.ts";
import { same } from "../../src/pass/prove.ts";

/** Angles as exporters make them: a position times a frequency for each pair. */
type Angles = { readonly positions: Value; readonly frequencies: Value; readonly scales: readonly number[] };

/** Everything behind a value, nearest first, as far as `most` nodes. */
function* ancestors(site: Site, value: Value, most = 512): Generator<Node> {
  const queue = [value];
  const seen = new Set<Node>();
  for (let at = queue.shift(); at && seen.size < most; at = queue.shift()) {
    const node = site.definition(at);
    if (!node || seen.has(node)) continue;
    seen.add(node);
    yield node;
    queue.push(...node.operands);
  }
}

/** A vector of frequencies behind views of it. */
function vectorBehind(site: Site, value: Value, half: Dim): Value | undefined {
  const node = site.definition(value);
  if (
    value.type.dims.length === 1 &&
    value.type.dims[0] === half &&
    (isOp(node, "weight") || isOp(node, "constant"))
  )
    return value;
  const [from] = node?.operands ?? [];
  return node && ["reshape", "broadcast", "cast", "transpose"].includes(node.op) && from
    ? vectorBehind(site, from, half)
    : undefined;
}

/** The angles behind the cosines that turn `half` pairs; positions as one number a token. */
function anglesBehind(site: Site, value: Value, half: number, tokens: Dim): Angles | undefined {
  const scales: number[] = [];
  for (const node of ancestors(site, value)) {
    if (isOp(node, "constant") && node.attrs.values.length === 1) scales.push(node.attrs.values[0] ?? 1);
    if (node.op !== "mul" && node.op !== "matmul") continue;
    for (const [a, b] of [node.operands, node.operands.toReversed()]) {
      const frequencies = b && vectorBehind(site, b, half);
      const positions = frequencies && a && positionsBehind(site, a, tokens);
      if (positions) return { positions, frequencies, scales };
    }
  }
  return undefined;
}

/** Whole numbers, one a token, behind casts and views. */
function positionsBehind(site: Site, value: Value, tokens: Dim): Value | undefined {
  const { dtype, dims } = value.type;
  const counts = dims.filter((d) => d !== 1);
  if ((dtype === "i64" || dtype === "i32") && counts.length === 1 && counts[0] === tokens)
    return dims.length === 1 ? value : site.make("reshape", [value], { dims: [tokens] });
  const node = site.definition(value);
  const [from] = node?.operands ?? [];
  return node && ["reshape", "broadcast", "cast", "transpose"].includes(node.op) && from
    ? positionsBehind(site, from, tokens)
    : undefined;
}

/** Even elements first, then odd ones: how a rotation by halves sees pairs that stand side by side. */
const evensFirst = (width: number): readonly number[] =>
  Array.from({ length: width }, (_, i) => (i < width / 2 ? 2 * i : 2 * i - width + 1));

/** Where the tokens stand in a value of rank 3: before the heads or behind them. */
type Order = "tokens-first" | "heads-first";

/**
 * What a rotation may be of, tokens first as [S, heads, dim]: values of its size behind it, whatever the order of their heads
 * and tokens, or with both as one axis.
 */
function candidates(site: Site, out: Value, tokens: Dim, width: number): readonly Candidate[] {
  const size = productOf(out.type.dims);
  const heads = divideDims(size, multiplyDims(tokens, width)) ?? 1;
  const found = new Map<Value, Value>();
  for (const node of ancestors(site, out, 24)) {
    if (!["take", "slice", "reshape", "mul"].includes(node.op)) continue;
    for (const value of node.operands) {
      const { dims } = value.type;
      if (found.has(value) || productOf(dims) !== size || dims.length > 3) continue;
      if (dims[0] === tokens)
        found.set(value, site.make("reshape", [value], { dims: [tokens, heads, width] }));
      else if (dims.length === 3 && dims[1] === tokens && dims[2] === width)
        found.set(value, site.make("transpose", [value], { perm: [1, 0, 2] }));
    }
  }
  return [...found].map(([value, x]) => ({ value, x }));
}

type Candidate = { readonly value: Value; readonly x: Value };

/** Whether a node can be the end of a rotation: two halves put together, or a sum of two products. */
const mayEnd = (node: Node, site: Site): boolean => {
  const makers = node.operands.map((v) => site.definition(v)?.op);
  if (node.op === "concat") return makers.length === 2 && makers.includes("sub") && makers.includes("add");
  if (node.op === "add") return makers.length === 2 && makers.every((m) => m === "mul");
  return (
    node.op === "reshape" &&
    site.definition(node.operands[0] ?? { type: { dtype: "f32", dims: [] } })?.op === "concat"
  );
};

type Form = { readonly pairs: "interleaved" | "halves"; readonly reordered: boolean };
const forms: readonly Form[] = [
  { pairs: "interleaved", reordered: true },
  { pairs: "halves", reordered: false },
  { pairs: "interleaved", reordered: false },
];

/** [S, heads, dim] in the shape of the value it replaces. */
function asBefore(site: Site, y: Value, { type: { dims } }: Value, order: Order): Value {
  if (dims.length === 2) return site.make("reshape", [y], { dims });
  return order === "tokens-first" ? y : site.make("transpose", [y], { perm: [1, 0, 2] });
}

/** The rotation that a value is, where its tokens stand as `order` says. */
function rotation(site: Site, out: Value, width: number, order: Order): Value | undefined {
  const tokens = out.type.dims[order === "tokens-first" ? 0 : 1] ?? 1;
  const angles = anglesBehind(site, out, width / 2, tokens);
  if (!angles) return undefined;
  const { positions, frequencies, scales } = angles;
  for (const { value, x } of candidates(site, out, tokens, width))
    for (const scale of new Set([1, ...scales]))
      for (const { pairs, reordered } of forms) {
        const turned = site.make("rope", [x, positions, frequencies], { pairs, scale });
        const at = site.make("constant", [], { dtype: "i64", dims: [width], values: evensFirst(width) });
        const now = asBefore(
          site,
          reordered ? site.make("take", [turned, at], { axis: 2 }) : turned,
          out,
          order,
        );
        const given = [{ value }, { value: frequencies, within: 0.1 }];
        if (same(site, given, [out], [now]) === true) return now;
      }
  return undefined;
}

/** A value without first axes of size 1, of which a rotation knows nothing. */
function core(site: Site, value: Value): Value {
  const { dims } = value.type;
  const first = dims.findIndex((d, i) => d !== 1 || i === dims.length - 2);
  return first <= 0 ? value : site.make("reshape", [value], { dims: dims.slice(first) });
}

function raised(node: Node, site: Site): Value | undefined {
  const [result] = node.results;
  if (result?.type.dtype !== "f32" || result.type.dims.length < 2 || !mayEnd(node, site)) return undefined;
  const out = core(site, result);
  const width = out.type.dims.at(-1);
  const rank = out.type.dims.length;
  if (rank > 3 || typeof width !== "number" || width % 2 !== 0) return undefined;
  const found =
    rotation(site, out, width, "tokens-first") ??
    (rank === 3 ? rotation(site, out, width, "heads-first") : undefined);
  return found && (out === result ? found : site.make("reshape", [found], { dims: result.type.dims }));
}

/** Finds rotary position embedding in both layouts; which it is, and of what, is tried on made-up numbers. */
export const raiseRope = finderPass({
  name: "raise-rope",
  summary: "x cos + rotated x sin ⟶ rope(x, positions, frequencies)",
  tolerance: 1e-4,
  finders: { rope: raised },
});
