import { multiplyDims, productOf, type Dim } from "../../src/ir/dim.ts";
import { isOp, type Node, type Value } from "../../src/ir/graph.ts";
import type { Site } from "../../src/pass/edit.ts";
import { finderPass } from "../../src/pass/finder-pass.ts";
import { same } from "../../src/pass/prove.ts";

/** A value in a shape of our own, and the value of the graph that it is a view of. */
type View = { readonly value: Value; readonly root: Value };

/** Keys and values made of a latent by one matrix. */
type Expanded = { readonly latent: Value; readonly w: Value };

/** The matrix that makes keys and values has 17 million elements in DeepSeek-V3, and stands here in two shapes. */
const largestMatrix = 1 << 26;

const maker = (site: Site, value: Value | undefined): Node | undefined => value && site.definition(value);
const views = ["reshape", "transpose", "slice", "concat", "broadcast", "take"];

/** [T, heads * rows] out of [T, latent], found behind the values: their matrix as [heads, rows, latent]. */
function expandedBehind(site: Site, v: Value, heads: Dim): Expanded | undefined {
  let at: Node | undefined = maker(site, v);
  for (; at && views.includes(at.op); at = maker(site, at.operands[0]));
  const [latent, w] = at?.operands ?? [];
  const [rows, width] = w?.type.dims ?? [];
  if (!isOp(at, "linear") || at.operands.length !== 2 || !latent || !w || latent.type.dims.length !== 2)
    return undefined;
  if (typeof rows !== "number" || typeof heads !== "number" || rows % heads !== 0 || width === undefined)
    return undefined;
  return { latent, w: site.make("reshape", [w], { dims: [heads, rows / heads, width] }) };
}

/** The rotary key that all heads share: what is repeated over heads on the way to the keys, as [T, dim]. */
function sharedKey(site: Site, k: Value, heads: Dim, tokens: Dim, width: number): View | undefined {
  const queue = [k];
  for (let at = queue.shift(), steps = 0; at && steps < 24; at = queue.shift(), steps++) {
    const node = site.definition(at);
    const [from] = node?.operands ?? [];
    if (!node || !views.includes(node.op)) continue;
    const repeated =
      node.op === "broadcast" &&
      from &&
      multiplyDims(productOf(from.type.dims), heads) === productOf(at.type.dims);
    if (repeated && productOf(from.type.dims) === multiplyDims(tokens, width))
      return { value: site.make("reshape", [from], { dims: [tokens, width] }), root: from };
    queue.push(...node.operands);
  }
  return undefined;
}

/** A value before its elements were put in another order, and that order; through reshapes. */
function unordered(site: Site, value: Value): (View & { readonly order: string }) | undefined {
  const node = site.definition(value);
  const [from, at] = node?.operands ?? [];
  if (isOp(node, "take") && from && at && node.attrs.axis === value.type.dims.length - 1) {
    const order = maker(site, at);
    return isOp(order, "constant")
      ? { value: from, root: from, order: order.attrs.values.join() }
      : undefined;
  }
  const sameWidth = isOp(node, "reshape") && from && from.type.dims.at(-1) === value.type.dims.at(-1);
  const inner = sameWidth ? unordered(site, from) : undefined;
  return inner && { ...inner, value: site.make("reshape", [inner.value], { dims: value.type.dims }) };
}

/** The parts of queries: those that meet latent keys and those that are rotated. */
function queryParts(site: Site, q: Value): readonly [View, View] | undefined {
  const node = site.definition(q);
  const turned = isOp(node, "transpose") ? maker(site, node.operands[0]) : undefined;
  const joined = turned ?? node;
  const [a, b, ...more] = joined?.operands ?? [];
  if (!isOp(joined, "concat") || joined.attrs.axis !== 2 || !a || !b || more.length > 0) return undefined;
  const view = (root: Value): View => ({
    value: isOp(node, "transpose") ? site.make("transpose", [root], node.attrs) : root,
    root,
  });
  return [view(a), view(b)];
}

function raised(node: Node, site: Site): Value | undefined {
  const [q, k, v, mask] = node.operands;
  const [out] = node.results;
  if (!isOp(node, "attention") || !q || !k || !v || !out) return undefined;
  const [tokens = 1, heads = 1] = k.type.dims;
  const parts = queryParts(site, q);
  const expanded = expandedBehind(site, v, heads);
  const rope = parts?.[1].value.type.dims[2];
  const key = typeof rope === "number" ? sharedKey(site, k, heads, tokens, rope) : undefined;
  if (!parts || !expanded || !key) return undefined;
  const [nope, turned] = parts;
  const [plainQuery, plainKey] = [unordered(site, turned.value), unordered(site, key.value)];
  const inOrder = plainQuery && plainKey && plainQuery.order === plainKey.order;
  const [qRope, kRope]: readonly [View, View] = inOrder ? [plainQuery, plainKey] : [turned, key];
  const cache = site.make("concat", [expanded.latent, kRope.value], { axis: 1 });
  const operands = [nope.value, qRope.value, cache, expanded.w, ...(mask ? [mask] : [])];
  const now = site.make("latentAttention", operands, { scale: node.attrs.scale });
  const roots = [expanded.latent, kRope.root, nope.root, qRope.root, ...(mask ? [mask] : [])];
  const given = roots.map((value) => ({ value }));
  return same(site, given, [out], [now], largestMatrix) === true ? now : undefined;
}

/** Finds multi-head latent attention where keys and values are made of one latent; proved on made-up latents and queries. */
export const raiseLatentAttention = finderPass({
  name: "raise-latent-attention",
  summary: "attention(q, keys(latent), values(latent)) ⟶ latentAttention(qNope, qRope, cache, w)",
  tolerance: 1e-4,
  finders: { "latent-attention": raised },
});
