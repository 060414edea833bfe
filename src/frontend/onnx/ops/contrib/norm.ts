import type { Value } from "../../../../ir/graph.ts";
import {
  add,
  floatOf,
  mul,
  rankOf,
  to,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import { norm, normalize, rmsNorm } from "../math/norm.ts";

/** The sum of input, skip and bias. */
function skipped(cx: LoweringContext, biasAt: number): Value {
  const sum = add(cx, cx.input(0), cx.input(1));
  const bias = cx.optional(biasAt);
  return bias ? add(cx, sum, bias) : sum;
}

export const contribNorms: LoweringTable = {
  SimplifiedLayerNormalization: norm["SimplifiedLayerNormalization"] ?? (() => []),
  /** Outputs: the norm, two that training uses, and the sum. */
  SkipSimplifiedLayerNormalization: (cx) => {
    const sum = skipped(cx, 3);
    const out = rmsNorm(cx, sum, cx.input(2), rankOf(sum) - 1, floatOf(cx, "epsilon", 1e-12));
    return [out, undefined, undefined, sum];
  },
  SkipLayerNormalization: (cx) => {
    const sum = skipped(cx, 4);
    const axis = rankOf(sum) - 1;
    const { out, mean, inverse } = normalize(cx, to(cx, sum, "f32"), [axis], floatOf(cx, "epsilon", 1e-12));
    const scaled = mul(cx, out, to(cx, cx.input(2), "f32"));
    const beta = cx.optional(3);
    const shifted = beta ? add(cx, scaled, to(cx, beta, "f32")) : scaled;
    return [to(cx, shifted, sum.type.dtype), mean, inverse, sum];
  },
};
