import { productOf } from "../../../../ir/dim.ts";
import type { Value } from "../../../../ir/graph.ts";
import {
  div,
  fixedDim,
  flagOf,
  intOf,
  reshape,
  slice,
  textOf,
  to,
  transpose,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import { reshape as reshapeRecipe } from "../../../../tensor/recipe.ts";
import { blockWeight, dequantizeBlocks, unpackCodes } from "./quantized.ts";

type Routing = { readonly indices: Value; readonly weights: Value };

/** Which experts and how much of each: softmax over all (MoE), over the chosen ones, or weights of another input (QMoE). */
function route(cx: LoweringContext, logits: Value, shares: Value | undefined, normalize: boolean): Routing {
  const topK = intOf(cx, "k", 4);
  if (flagOf(cx, "use_sparse_mixer")) return unsupported("it routes by the sparse mixer");
  const [indices, weights] = cx.multi("router", [to(cx, logits, "f32")], {
    topK,
    scoring: "softmax",
    groups: 1,
    topGroups: 1,
    groupScore: "max",
    normalize: normalize && !shares,
    scale: 1,
  });
  if (!indices || !weights) throw new Error("router has two results");
  if (!shares) return { indices, weights };
  const picked = cx.op("takeAlong", [to(cx, shares, "f32"), indices], { axis: 1 });
  const sum = cx.op("reduceSum", [picked], { axis: 1 });
  return { indices, weights: normalize ? div(cx, picked, sum) : picked };
}

/** Rows g0, u0, g1, u1, … of fused gate and up projections in the order of all gates, all ups. */
function apart(cx: LoweringContext, fused: Value): Value {
  const [experts = 1, rows = 1, width = 1] = fused.type.dims;
  const inner = fixedDim(rows, "the inner width") / 2;
  const pairs = reshape(cx, fused, [experts, inner, 2, width]);
  return reshape(cx, transpose(cx, pairs, [0, 2, 1, 3]), [experts, rows, width]);
}

/** Gate and up projections as [experts, 2 inner, width]: fc1 and fc3, or fc1 alone where they are fused. */
function gateUp(cx: LoweringContext, fc1: Value, fc3: Value | undefined): Value {
  const activation = textOf(cx, "activation_type", "relu");
  const fusion = intOf(cx, "swiglu_fusion", 0);
  if (fc3 && (activation === "silu" || activation === "swiglu"))
    return cx.op("concat", [fc1, fc3], { axis: 1 });
  if (activation === "swiglu" && fusion !== 0) return fusion === 1 ? apart(cx, fc1) : fc1;
  return unsupported(`its activation is ${activation}${fc3 ? "" : " without a third projection"}`);
}

function plainSwiglu(cx: LoweringContext): void {
  for (const [name, neutral] of [
    ["activation_alpha", 1],
    ["activation_beta", 0],
  ] as const) {
    const given = cx.node.attributes.get(name);
    if (given?.kind === "float" && given.value !== neutral) unsupported(`its ${name} is ${given.value}`);
  }
  if (cx.node.attributes.has("swiglu_limit")) unsupported("its swiglu is limited");
}

const tokens = (cx: LoweringContext, x: Value): Value => {
  const { dims } = x.type;
  return to(cx, reshape(cx, x, [productOf(dims.slice(0, -1)), dims.at(-1) ?? 1]), "f32");
};

function experts(cx: LoweringContext, routing: Routing, up: Value, down: Value): Value {
  const x = cx.input(0);
  const out = cx.op("experts", [tokens(cx, x), routing.indices, routing.weights, up, down], {});
  return to(cx, reshape(cx, out, x.type.dims), x.type.dtype);
}

function mixture(cx: LoweringContext): Value {
  if ([3, 5, 7].some((i) => cx.optional(i))) return unsupported("its experts have biases");
  plainSwiglu(cx);
  const fc3 = cx.optional(6);
  const routing = route(cx, tokens(cx, cx.input(1)), undefined, flagOf(cx, "normalize_routing_weights"));
  const up = gateUp(cx, to(cx, cx.input(2), "f32"), fc3 && to(cx, fc3, "f32"));
  return experts(cx, routing, up, to(cx, cx.input(4), "f32"));
}

/** One of the three stacks of expert matrices, [experts, rows, columns], out of codes, scales and zero points. */
function dequantized(cx: LoweringContext, codes: number, scales: number, zeros: number): Value | undefined {
  const packed = cx.optional(codes);
  if (!packed) return undefined;
  const bits = intOf(cx, "expert_weight_bits", 4);
  if (bits !== 4 && bits !== 8) return unsupported(`its codes are of ${bits} bits`);
  const numbers = unpackCodes(cx, packed, bits);
  const [count = 1, rows = 1, columns] = numbers.type.dims;
  const width = fixedDim(columns, "the width");
  const block = intOf(cx, "block_size", 0) > 0 ? intOf(cx, "block_size", width) : width;
  const stacked = [Number(count), Number(rows)] as const;
  const layout = { rows: stacked[0] * stacked[1], blocks: width / block, block, bits };
  const stored = blockWeight(cx, packed, cx.input(scales), cx.optional(zeros), layout);
  if (stored) return cx.op("weight", [], { recipe: reshapeRecipe(stored, [...stacked, width]) });
  const [all, blocks] = [productOf([count, rows]), width / block];
  const zero = cx.optional(zeros);
  const unpackedZero =
    zero &&
    slice(
      cx,
      unpackCodes(cx, reshape(cx, zero, [all, productOf(zero.type.dims.slice(2))]), bits),
      1,
      0,
      blocks,
    );
  const flat = reshape(cx, numbers, [all, blocks, block]);
  const exact = dequantizeBlocks(cx, flat, cx.input(scales), unpackedZero ?? 2 ** (bits - 1));
  return reshape(cx, exact, [count, rows, width]);
}

function quantizedMixture(cx: LoweringContext): Value {
  if ([4, 7, 10].some((i) => cx.optional(i))) return unsupported("its experts have biases");
  if (textOf(cx, "quant_type", "int") !== "int")
    return unsupported(`its quant_type is ${textOf(cx, "quant_type", "int")}`);
  plainSwiglu(cx);
  const shares = cx.optional(14);
  const normalize = shares ? flagOf(cx, "normalize_routing_weights") : true;
  const routing = route(cx, tokens(cx, cx.input(1)), shares && tokens(cx, shares), normalize);
  const [fc1, fc2, fc3] = [dequantized(cx, 2, 3, 11), dequantized(cx, 5, 6, 12), dequantized(cx, 8, 9, 13)];
  if (!fc1 || !fc2) return unsupported("it lacks an expert matrix");
  return experts(cx, routing, gateUp(cx, fc1, fc3), fc2);
}

export const contribMixtures: LoweringTable = {
  MoE: (cx) => [mixture(cx)],
  QMoE: (cx) => [quantizedMixture(cx)],
};
