import { isOp, type Node, type Value } from "../../src/ir/graph.ts";
import { sizeOf } from "../../src/ir/types.ts";
import type { Replacement, Site } from "../../src/pass/edit.ts";
import { finderPass } from "../../src/pass/finder-pass.ts";
import { agree, evaluate, same } from "../../src/pass/prove.ts";

/** The layer of one expert: down(swiglu(gate x, up x)). */
type Layer = { readonly x: Value; readonly gate: Value; readonly up: Value; readonly down: Value };

/** The routing that a value rests on: the indices and the weights that a router chose. */
type Routing = { readonly indices: Value; readonly weights: Value; readonly experts: number };

const maker = (site: Site, value: Value | undefined): Node | undefined => value && site.definition(value);

/** The router behind a value, at most some steps away. */
function routingBehind(site: Site, value: Value): Routing | undefined {
  const queue = [value];
  const seen = new Set<Value>();
  for (let at = queue.shift(); at && seen.size < 64; at = queue.shift()) {
    if (seen.has(at)) continue;
    seen.add(at);
    const node = site.definition(at);
    if (!node) continue;
    const [indices, weights] = node.results;
    const experts = node.operands[0]?.type.dims[1];
    if (isOp(node, "router") && indices && weights && typeof experts === "number")
      return { indices, weights, experts };
    queue.push(...node.operands);
  }
  return undefined;
}

function layerOf(site: Site, value: Value): Layer | undefined {
  const outer = maker(site, value);
  const inner =
    isOp(outer, "linear") && outer.operands.length === 2 ? maker(site, outer.operands[0]) : undefined;
  const down = outer?.operands[1];
  if (!isOp(inner, "swiglu") || !down) return undefined;
  const [gate, up] = inner.operands.map((v) => site.definition(v));
  if (!isOp(gate, "linear") || !isOp(up, "linear") || gate.operands.length + up.operands.length !== 4)
    return undefined;
  const [x, gateWeight] = gate.operands;
  const [same_, upWeight] = up.operands;
  return x && x === same_ && x.type.dims.length === 2 && gateWeight && upWeight
    ? { x, gate: gateWeight, up: upWeight, down }
    : undefined;
}

/** Which expert a column of shares [tokens, 1] is about: the one whose weight it is for made-up routings. */
function expertOf(site: Site, share: Value, { indices, weights, experts }: Routing): number | undefined {
  const given = [{ value: indices, choices: experts }, { value: weights }];
  const [found, chosen, parts] = evaluate(site, given, [share, indices, weights]) ?? [];
  if (!found || !chosen || !parts) return undefined;
  const [tokens = 0, k = 1] = chosen.shape;
  for (let expert = 0; expert < experts; expert++) {
    const wanted = new Float32Array(tokens);
    chosen.data.forEach((e, slot) => {
      if (e === expert) wanted[Math.floor(slot / k)] = parts.data[slot] ?? 0;
    });
    const nobody = wanted.every((w) => w === 0);
    if (!nobody && agree({ dtype: "f32", shape: found.shape, data: wanted }, found)) return expert;
  }
  return undefined;
}

/** One expert's layer times its column of shares. */
function oneExpert(node: Node, site: Site): readonly Replacement[] | undefined {
  const [out] = node.results;
  if (node.op !== "mul" || !out) return undefined;
  for (const [value, share] of [node.operands, node.operands.toReversed()]) {
    if (!value || !share || share.type.dims.at(-1) !== 1 || share.type.dims.length !== 2) continue;
    const layer = layerOf(site, value);
    const routing = layer && routingBehind(site, share);
    const index = routing && expertOf(site, share, routing);
    if (!layer || !routing || index === undefined) continue;
    const operands = [layer.x, routing.indices, routing.weights, layer.gate, layer.up, layer.down];
    return [[out, site.make("expert", operands, { index })]];
  }
  return undefined;
}

/** Through what only moves or repeats elements: where a value comes from. */
function source(site: Site, value: Value | undefined): Value | undefined {
  const node = maker(site, value);
  return node && ["reshape", "broadcast", "cast"].includes(node.op) ? source(site, node.operands[0]) : value;
}

/** Expert matrices taken by index and multiplied with something: the stack of them, and what it is multiplied with. */
function takenProduct(site: Site, value: Value | undefined) {
  const product = maker(site, source(site, value));
  if (!isOp(product, "matmul")) return undefined;
  const [a, b] = product.operands.map((v) => site.definition(v));
  const [left, right] = product.operands;
  if (isOp(a, "take") && a.attrs.axis === 0)
    return { stack: a.operands[0], index: a.operands[1], by: right, flipped: false };
  if (isOp(b, "take") && b.attrs.axis === 0)
    return { stack: b.operands[0], index: b.operands[1], by: left, flipped: true };
  return undefined;
}

/** Gate and up projections as one stack: as it is, or with the axes of its matrices changed. */
function upright(site: Site, stack: Value | undefined, flipped: boolean): Value | undefined {
  if (!stack || stack.type.dims.length !== 3) return undefined;
  return flipped ? site.make("transpose", [stack], { perm: [0, 2, 1] }) : stack;
}

/** What goes into the gated activation: both halves of one product. */
function gated(site: Site, value: Value | undefined): Value | undefined {
  const node = maker(site, source(site, value));
  if (node?.op === "swigluPacked") return node.operands[0];
  if (node?.op !== "swiglu") return undefined;
  const halves = node.operands.map((v) => maker(site, source(site, v)));
  const [gate, up] = halves;
  const whole = gate?.operands[0];
  const inOrder =
    isOp(gate, "slice") && isOp(up, "slice") && gate.attrs.begin === 0 && gate.attrs.end === up.attrs.begin;
  return inOrder && whole === up.operands[0] ? whole : undefined;
}

/** Rows of tokens that a value repeats: the nearest matrix behind views of it. */
function tokensBehind(site: Site, value: Value | undefined, width: unknown): Value | undefined {
  for (let at = value; at;) {
    if (at.type.dims.length === 2 && at.type.dims[1] === width && maker(site, at)?.op !== "reshape")
      return at;
    const node: Node | undefined = site.definition(at);
    if (!node || !["reshape", "broadcast"].includes(node.op))
      return at.type.dims.length === 2 ? at : undefined;
    at = node.operands[0];
  }
  return undefined;
}

/** Matrices gathered for each token and slot, multiplied, weighed and summed over the slots. */
function batchedExperts(node: Node, site: Site): readonly Replacement[] | undefined {
  const [out] = node.results;
  if (!isOp(node, "reduceSum") || !out) return undefined;
  const product = maker(site, source(site, node.operands[0]));
  if (product?.op !== "mul") return undefined;
  for (const [value, share] of [product.operands, product.operands.toReversed()]) {
    const routing = share && routingBehind(site, share);
    const down = takenProduct(site, value);
    const up = down && takenProduct(site, gated(site, down.by));
    if (!routing || !down || !up) continue;
    const [gateUp, downStack] = [
      upright(site, up.stack, up.flipped),
      upright(site, down.stack, down.flipped),
    ];
    const width = gateUp?.type.dims[2];
    const x = tokensBehind(site, up.by, width);
    if (!gateUp || !downStack || !x || x.type.dims[1] !== width) continue;
    const made = site.make("experts", [x, routing.indices, routing.weights, gateUp, downStack], {});
    const shaped = site.make("reshape", [made], { dims: out.type.dims });
    const given = [
      { value: x },
      { value: routing.indices, choices: routing.experts },
      { value: routing.weights },
    ];
    const proved = same(site, given, [out], [shaped]);
    // Stacks too large to evaluate stand on the structure found, which leaves no other reading.
    if (proved === true || (proved === undefined && sizeOf(gateUp.type.dims) > 1 << 20))
      return [[out, shaped]];
  }
  return undefined;
}

/** A product with a stack of expert matrices, every token with every expert: what is multiplied, and the stack upright. */
function denseProduct(
  site: Site,
  value: Value | undefined,
): { readonly x: Value; readonly stack: Value } | undefined {
  const product = maker(site, source(site, value));
  const [x, stack] = product?.operands ?? [];
  if (!isOp(product, "matmul") || !x || !stack || stack.type.dims.length !== 3) return undefined;
  const weights = maker(site, stack);
  if (isOp(weights, "transpose") && weights.attrs.perm.join() === "0,2,1" && weights.operands[0])
    return { x, stack: weights.operands[0] };
  return weights?.op === "weight"
    ? { x, stack: site.make("transpose", [stack], { perm: [0, 2, 1] }) }
    : undefined;
}

/** What goes into the activation of all experts: one stack of both projections, or two put together. */
function denseGate(
  site: Site,
  value: Value | undefined,
): { readonly x: Value; readonly stack: Value } | undefined {
  const whole = denseProduct(site, gated(site, value));
  if (whole) return whole;
  const node = maker(site, source(site, value));
  const [gate, up] = node?.op === "swiglu" ? node.operands.map((v) => denseProduct(site, v)) : [];
  if (!gate || !up) return undefined;
  return { x: gate.x, stack: site.make("concat", [gate.stack, up.stack], { axis: 1 }) };
}

/** All experts run on all tokens, weighed by a dense matrix of shares and summed over the experts. */
function denseExperts(node: Node, site: Site): readonly Replacement[] | undefined {
  const [out] = node.results;
  if (!isOp(node, "reduceSum") || !out) return undefined;
  const product = maker(site, source(site, node.operands[0]));
  if (product?.op !== "mul") return undefined;
  for (const [value, share] of [product.operands, product.operands.toReversed()]) {
    const routing = share && routingBehind(site, share);
    const down = denseProduct(site, value);
    const up = down && denseGate(site, down.x);
    const x = up && tokensBehind(site, up.x, up.stack.type.dims[2]);
    if (!routing || !down || !up || !x || down.stack.type.dims[0] !== routing.experts) continue;
    const made = site.make("experts", [x, routing.indices, routing.weights, up.stack, down.stack], {});
    const shaped = site.make("reshape", [made], { dims: out.type.dims });
    const given = [
      { value: x },
      { value: routing.indices, choices: routing.experts },
      { value: routing.weights },
    ];
    if (same(site, given, [out], [shaped]) === true) return [[out, shaped]];
  }
  return undefined;
}

/** Finds routed experts: one layer for each, or matrices gathered by index; whose share is whose is tried on made-up routings. */
export const raiseExperts = finderPass({
  name: "raise-experts",
  summary: "layers weighed by a router ⟶ expert, experts",
  tolerance: 1e-4,
  finders: { "one-expert": oneExpert, "batched-experts": batchedExperts, "dense-experts": denseExperts },
});
