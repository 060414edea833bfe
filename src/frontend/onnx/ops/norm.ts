import type { Value } from "../../../ir/graph.ts";
import {
  axisOf,
  constantLike,
  floatOf,
  intOf,
  rankOf,
  type LoweringContext,
  type LoweringTable,
} from "../lowering.ts";

/** Work in float32 and give back what came in. */
function inF32(cx: LoweringContext, x: Value, f: (x: Value) => Value): Value {
  const { dtype } = x.type;
  if (dtype === "f32") return f(x);
  return cx.op("cast", [f(cx.op("cast", [x], { dtype: "f32" }))], { dtype });
}

/** The mean over the axes from `axis` on, which stay with size 1. */
function meanFrom(cx: LoweringContext, x: Value, axis: number): Value {
  const axes = Array.from({ length: rankOf(x) - axis }, (_, i) => axis + i);
  return axes.reduce((v, a) => cx.op("reduceMean", [v], { axis: a }), x);
}

/** 1 / sqrt(mean(x^2) + epsilon) over the axes from `axis` on. */
function inverseDeviation(cx: LoweringContext, x: Value, axis: number): Value {
  const epsilon = constantLike(cx, x, floatOf(cx, "epsilon", 1e-5));
  const meanSquare = meanFrom(cx, cx.op("mul", [x, x], {}), axis);
  return cx.op("rsqrt", [cx.op("add", [meanSquare, epsilon], {})], {});
}

const toF32 = (cx: LoweringContext, x: Value): Value =>
  x.type.dtype === "f32" ? x : cx.op("cast", [x], { dtype: "f32" });

export const norm: LoweringTable = {
  LayerNormalization: (cx) => {
    const [x, gain, bias] = [cx.input(0), toF32(cx, cx.input(1)), cx.optional(2)];
    const axis = axisOf(intOf(cx, "axis", -1), rankOf(x));
    const wide = toF32(cx, x);
    const mean = meanFrom(cx, wide, axis);
    const centered = cx.op("sub", [wide, mean], {});
    const inverse = inverseDeviation(cx, centered, axis);
    const scaled = cx.op("mul", [cx.op("mul", [centered, inverse], {}), gain], {});
    const out = bias ? cx.op("add", [scaled, toF32(cx, bias)], {}) : scaled;
    return [x.type.dtype === "f32" ? out : cx.op("cast", [out], { dtype: x.type.dtype }), mean, inverse];
  },
  RMSNormalization: (cx) => {
    const gain = toF32(cx, cx.input(1));
    const axis = axisOf(intOf(cx, "axis", -1), rankOf(cx.input(0)));
    return [
      inF32(cx, cx.input(0), (x) => {
        const normed = cx.op("mul", [x, inverseDeviation(cx, x, axis)], {});
        return cx.op("mul", [normed, gain], {});
      }),
    ];
  },
  Gelu: (cx) => {
    const x = cx.input(0);
    const c = (value: number): Value => constantLike(cx, x, value);
    const approximate = cx.node.attributes.get("approximate");
    const byTanh = approximate?.kind === "text" && approximate.value === "tanh";
    const cubed = (): Value =>
      cx.op("mul", [cx.op("mul", [cx.op("mul", [x, x], {}), x], {}), c(0.044715)], {});
    const share = byTanh
      ? cx.op("tanh", [cx.op("mul", [cx.op("add", [x, cubed()], {}), c(Math.sqrt(2 / Math.PI))], {})], {})
      : cx.op("erf", [cx.op("mul", [x, c(Math.SQRT1_2)], {})], {});
    return [cx.op("mul", [cx.op("mul", [x, c(0.5)], {}), cx.op("add", [share, c(1)], {})], {})];
  },
  HardSigmoid: (cx) => {
    const x = cx.input(0);
    const c = (value: number): Value => constantLike(cx, x, value);
    const line = cx.op(
      "add",
      [cx.op("mul", [x, c(floatOf(cx, "alpha", 0.2))], {}), c(floatOf(cx, "beta", 0.5))],
      {},
    );
    return [cx.op("max", [cx.op("min", [line, c(1)], {}), c(0)], {})];
  },
};
