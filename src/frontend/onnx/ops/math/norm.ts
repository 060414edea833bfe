import { divideDims, floorDivideDims, productOf } from "../../../../ir/dim.ts";
import type { Value } from "../../../../ir/graph.ts";
import {
  add,
  axisOf,
  dimOf,
  div,
  floatOf,
  inF32,
  intOf,
  intsOf,
  mul,
  rankOf,
  reshape,
  sub,
  to,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";

/** The mean over axes, which stay with size 1. */
const meanOver = (cx: LoweringContext, x: Value, axes: readonly number[]): Value =>
  axes.reduce((v, axis) => cx.op("reduceMean", [v], { axis }), x);

const axesFrom = (x: Value, axis: number): readonly number[] =>
  x.type.dims.map((_, i) => i).filter((i) => i >= axis);

/** 1 / sqrt(mean(x^2) + epsilon) over axes. */
function inverseDeviation(cx: LoweringContext, x: Value, axes: readonly number[], epsilon: number): Value {
  const meanSquare = meanOver(cx, mul(cx, x, x), axes);
  return cx.op("rsqrt", [add(cx, meanSquare, epsilon)], {});
}

type Normalized = { readonly out: Value; readonly mean: Value; readonly inverse: Value };

/** x less its mean, over its deviation. */
export function normalize(
  cx: LoweringContext,
  x: Value,
  axes: readonly number[],
  epsilon: number,
): Normalized {
  const mean = meanOver(cx, x, axes);
  const centered = sub(cx, x, mean);
  const inverse = inverseDeviation(cx, centered, axes, epsilon);
  return { out: mul(cx, centered, inverse), mean, inverse };
}

function layerNorm(cx: LoweringContext): readonly Value[] {
  const [x, gain, bias] = [cx.input(0), to(cx, cx.input(1), "f32"), cx.optional(2)];
  const axis = axisOf(intOf(cx, "axis", -1), rankOf(x));
  const { out, mean, inverse } = normalize(
    cx,
    to(cx, x, "f32"),
    axesFrom(x, axis),
    floatOf(cx, "epsilon", 1e-5),
  );
  const scaled = mul(cx, out, gain);
  return [to(cx, bias ? add(cx, scaled, to(cx, bias, "f32")) : scaled, x.type.dtype), mean, inverse];
}

/** gain x / sqrt(mean(x^2) + epsilon), worked out in float32. */
export function rmsNorm(cx: LoweringContext, x: Value, gain: Value, axis: number, epsilon: number): Value {
  return inF32(cx, x, (wide) => {
    if (axis === rankOf(x) - 1 && rankOf(gain) === 1 && dimOf(gain, 0) === dimOf(x, -1))
      return cx.op("rmsNorm", [wide, to(cx, gain, "f32")], { eps: epsilon });
    const inverse = inverseDeviation(cx, wide, axesFrom(x, axis), epsilon);
    return mul(cx, mul(cx, wide, inverse), to(cx, gain, "f32"));
  });
}

/** One number for each channel, in a shape that broadcasts over [N, C, ...]. */
const perChannel = (cx: LoweringContext, s: Value, x: Value): Value =>
  reshape(cx, to(cx, s, "f32"), [dimOf(s, 0), ...x.type.dims.slice(2).map(() => 1)]);

/** Groups of channels normalized together; instances are groups of one. */
function groupNorm(cx: LoweringContext, groups: number): Value {
  const [x, gain, bias] = [cx.input(0), cx.input(1), cx.input(2)];
  const { dims } = x.type;
  const [batch = 1, ...rest] = dims;
  const epsilon = floatOf(cx, "epsilon", 1e-5);
  return inF32(cx, x, (wide) => {
    const flat = reshape(cx, wide, [batch, groups, divided(productOf(rest), groups)]);
    const { out } = normalize(cx, flat, [2], epsilon);
    const whole = reshape(cx, out, dims);
    // Up to opset 20 a gain was one number a group.
    const spread = (s: Value): Value => {
      if (dimOf(s, 0) === dimOf(x, 1)) return perChannel(cx, s, x);
      const each = divided(dimOf(x, 1), groups);
      const wideS = cx.op("broadcast", [reshape(cx, s, [groups, 1])], { dims: [groups, each] });
      return perChannel(cx, reshape(cx, wideS, [dimOf(x, 1)]), x);
    };
    return add(cx, mul(cx, whole, spread(gain)), spread(bias));
  });
}

const divided = (a: number | string, b: number): number | string => divideDims(a, b) ?? floorDivideDims(a, b);

export const norm: LoweringTable = {
  LayerNormalization: layerNorm,
  RMSNormalization: (cx) => {
    const x = cx.input(0);
    return [
      rmsNorm(cx, x, cx.input(1), axisOf(intOf(cx, "axis", -1), rankOf(x)), floatOf(cx, "epsilon", 1e-5)),
    ];
  },
  SimplifiedLayerNormalization: (cx) => {
    const x = cx.input(0);
    return [
      rmsNorm(cx, x, cx.input(1), axisOf(intOf(cx, "axis", -1), rankOf(x)), floatOf(cx, "epsilon", 1e-5)),
    ];
  },
  GroupNormalization: (cx) => [groupNorm(cx, intOf(cx, "num_groups", 1))],
  InstanceNormalization: (cx) => [groupNorm(cx, Number(dimOf(cx.input(0), 1)))],
  MeanVarianceNormalization: (cx) => {
    const x = cx.input(0);
    const axes = (intsOf(cx, "axes") ?? [0, 2, 3]).map((a) => axisOf(a, rankOf(x)));
    const centered = sub(cx, x, meanOver(cx, x, axes));
    const deviation = cx.op("sqrt", [meanOver(cx, mul(cx, centered, centered), axes)], {});
    return [div(cx, centered, add(cx, deviation, 1e-9))];
  },
};
