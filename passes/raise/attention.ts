import { divideDims, multiplyDims, productOf, type Dim } from "../../src/ir/dim.ts";
import { isOp, type Node, type Value } from "../../src/ir/graph.ts";
import { sameType } from "../../src/ir/types.ts";
import type { Tensor } from "../../src/interp/tensor.ts";
import type { Site } from "../../src/pass/edit.ts";
import { finderPass } from "../../src/pass/finder-pass.ts";
import { evaluate, same } from "../../src/pass/prove.ts";

/** Scores before their softmax, taken apart. */
type Scores = {
  readonly q: Value;
  /** Keys with their axes changed: [heads, dim, T]. */
  readonly kT: Value;
  readonly scale: number;
  /** What is added to the scores, or undefined. */
  readonly bias: Value | undefined;
  /** The values of the graph that the bias is made of. */
  readonly masks: readonly Value[];
};

const scalarOf = (site: Site, value: Value | undefined): number | undefined => {
  const node = value && site.definition(value);
  return isOp(node, "constant") && node.attrs.values.length === 1 ? node.attrs.values[0] : undefined;
};

/** A value without the number it is multiplied with. */
function unscaled(site: Site, value: Value): { readonly value: Value; readonly scale: number } {
  const node = site.definition(value);
  const [x, factor] = node?.operands ?? [];
  const scale = node?.op === "mul" ? scalarOf(site, factor) : undefined;
  return x && scale !== undefined ? { value: x, scale } : { value, scale: 1 };
}

/** q @ k^T, scaled before or after. */
function scaledProduct(site: Site, value: Value): Omit<Scores, "bias" | "masks"> | undefined {
  const node = site.definition(value);
  const [a, b] = node?.operands ?? [];
  if (isOp(node, "matmul") && a && b) {
    const [q, k] = [unscaled(site, a), unscaled(site, b)];
    return { q: q.value, kT: k.value, scale: q.scale * k.scale };
  }
  const factor = scalarOf(site, b);
  if (!a || factor === undefined || (node?.op !== "mul" && node?.op !== "div")) return undefined;
  const inner = scaledProduct(site, a);
  return inner && { ...inner, scale: node.op === "mul" ? inner.scale * factor : inner.scale / factor };
}

/** The scores behind a softmax: a product, with masks added or in its place where a condition says so. */
function scoresOf(site: Site, value: Value): Scores | undefined {
  const plain = scaledProduct(site, value);
  if (plain) return { ...plain, bias: undefined, masks: [] };
  const node = site.definition(value);
  if (node?.op === "add")
    for (const [a, bias] of [node.operands, node.operands.toReversed()]) {
      const inner = a && scoresOf(site, a);
      if (inner && bias) return withBias(site, inner, bias, bias);
    }
  if (node?.op !== "select") return undefined;
  const [condition, a, b] = node.operands;
  const low = [scalarOf(site, b), scalarOf(site, a)];
  const kept = low[0] !== undefined ? a : b;
  const fill = low[0] ?? low[1];
  const inner = kept && scoresOf(site, kept);
  if (!condition || !inner || fill === undefined || fill > -1e4) return undefined;
  const zero = site.make("constant", [], { dtype: "f32", dims: [], values: [0] });
  const shut = site.make("constant", [], { dtype: "f32", dims: [], values: [fill] });
  const bias = site.make("select", kept === a ? [condition, zero, shut] : [condition, shut, zero], {});
  return withBias(site, inner, bias, condition);
}

const withBias = (site: Site, scores: Scores, bias: Value, mask: Value): Scores => ({
  ...scores,
  bias: scores.bias ? site.make("add", [scores.bias, bias], {}) : bias,
  masks: [...scores.masks, mask],
});

/** Whether a mask lets each query see all keys up to its own place and no other. */
function isCausal({ shape, data }: Tensor, queries: number, keys: number): boolean {
  return Array.from({ length: queries * keys }, (_, i) => i).every((i) => {
    const [query, key] = [Math.floor(i / keys), i % keys];
    const [rows = 1, columns = 1] = shape.slice(-2);
    const value = data[(rows === 1 ? 0 : query) * columns + (columns === 1 ? 0 : key)] ?? NaN;
    return key <= keys - queries + query ? value === 0 : value <= -1e4;
  });
}

/** The mask as an operand, undefined where it says no more than causality; `otherwise` where it cannot be one. */
function maskOf(site: Site, { bias, q, kT: k }: Scores): { readonly mask: Value | undefined } | undefined {
  const [queries = 1, keys = 1]: readonly Dim[] = [q.type.dims[1] ?? 1, k.type.dims[2] ?? 1];
  if (!bias) return queries === 1 ? { mask: undefined } : undefined;
  if (bias.type.dims.slice(0, -2).some((d) => d !== 1)) return undefined;
  const [found, rows, columns] = evaluate(site, [], [bias, ...sizesOf(site, queries, keys)]) ?? [];
  if (found && isCausal(found, rows?.data.length ?? 0, columns?.data.length ?? 0)) return { mask: undefined };
  const [first = 1, second = 1] = bias.type.dims.slice(-2);
  const matrix = site.make("reshape", [bias], { dims: [first, second] });
  return {
    mask:
      first === queries && second === keys
        ? matrix
        : site.make("broadcast", [matrix], { dims: [queries, keys] }),
  };
}

/** Vectors as long as the queries and the keys, so that an evaluation tells their numbers. */
const sizesOf = (site: Site, queries: Dim, keys: Dim): readonly Value[] =>
  [queries, keys].map((n) => site.make("iota", [], { dims: [n], axis: 0 }));

function raised(node: Node, site: Site): Value | undefined {
  const [shares, v] = node.operands;
  const [out] = node.results;
  const softmax = shares && site.definition(shares);
  const [before] = isOp(softmax, "softmax") ? softmax.operands : [];
  const scores = node.op === "matmul" && before && scoresOf(site, before);
  if (!scores || !v || !out || out.type.dims.length !== 3 || out.type.dtype !== "f32") return undefined;
  const masked = maskOf(site, scores);
  if (!masked) return undefined;
  const q = site.make("transpose", [scores.q], { perm: [1, 0, 2] });
  const k = site.make("transpose", [scores.kT], { perm: [2, 0, 1] });
  const values = site.make("transpose", [v], { perm: [1, 0, 2] });
  const operands = masked.mask ? [q, k, values, masked.mask] : [q, k, values];
  const attended = site.make("attention", operands, { scale: scores.scale });
  const now = site.make("transpose", [attended], { perm: [1, 0, 2] });
  const given = [scores.q, scores.kT, v, ...(masked.mask ? scores.masks : [])].map((value) => ({ value }));
  return same(site, given, [out], [now]) === true ? now : undefined;
}

/** Whether a value rests on sizes and constants alone. */
function isSettled(site: Site, value: Value): boolean {
  const seen = new Set<Value>();
  const queue = [value];
  for (let at = queue.pop(); at; at = queue.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    const node = site.definition(at);
    if (!node || node.op === "weight") return false;
    queue.push(...node.operands);
  }
  return true;
}

/** A choice that falls out the same everywhere, such as what is kept for queries that see no key where all see one. */
function settled(node: Node, site: Site): Value | undefined {
  const [condition, a, b] = node.operands;
  if (node.op !== "select" || !condition || !a || !b || !isSettled(site, condition)) return undefined;
  const [found] = evaluate(site, [], [condition]) ?? [];
  const [first] = found?.data ?? [];
  if (!found || first === undefined || found.data.some((x) => x !== first)) return undefined;
  const chosen = first === 0 ? b : a;
  const [out] = node.results;
  return out && sameType(out.type, chosen.type) ? chosen : undefined;
}

/** Keys or values before they were repeated for the queries that share them: [T, groups, width], and the value repeated. */
function unrepeated(site: Site, value: Value, tokens: Dim) {
  let at = site.definition(value);
  while (at && ["reshape", "transpose"].includes(at.op))
    at = at.operands[0] && site.definition(at.operands[0]);
  const [root] = at?.operands ?? [];
  if (at?.op !== "broadcast" || !root) return [];
  const width = root.type.dims.at(-1) ?? 1;
  const groups = divideDims(productOf(root.type.dims), multiplyDims(tokens, width));
  if (groups === undefined) return [];
  const first = site.make("reshape", [root], { dims: [groups, tokens, width] });
  return [
    { root, value: site.make("transpose", [first], { perm: [1, 0, 2] }) },
    { root, value: site.make("reshape", [root], { dims: [tokens, groups, width] }) },
  ];
}

/** Attention whose keys and values were repeated for groups of heads needs them once. */
function shared(node: Node, site: Site): Value | undefined {
  const [q, k, v, mask] = node.operands;
  const [out] = node.results;
  if (!isOp(node, "attention") || !q || !k || !v || !out) return undefined;
  const tokens = k.type.dims[0] ?? 1;
  const values = unrepeated(site, v, tokens);
  for (const [i, keys] of unrepeated(site, k, tokens).entries()) {
    const own = values[i];
    if (!own || keys.value.type.dims[1] === k.type.dims[1]) continue;
    const operands = [q, keys.value, own.value, ...(mask ? [mask] : [])];
    const now = site.make("attention", operands, node.attrs);
    const given = [q, keys.root, own.root, ...(mask ? [mask] : [])].map((value) => ({ value }));
    if (same(site, given, [out], [now]) === true) return now;
  }
  return undefined;
}

/** Finds attention over heads, and whether its mask says more than causality; proved on made-up queries, keys and values. */
export const raiseAttention = finderPass({
  name: "raise-attention",
  summary: "softmax(q k^T + mask) v ⟶ attention(q, k, v)",
  tolerance: 1e-4,
  finders: { attention: raised, "settled-choice": settled, "shared-heads": shared },
});
