import type { Value } from "../../../../ir/graph.ts";
import type { DType } from "../../../../tensor/dtype.ts";
import {
  add,
  compare,
  intOf,
  min,
  scalar,
  select,
  textOf,
  to,
  unsupported,
  type Comparison,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import { dtypeOf } from "../../reading/tensor.ts";

/** From which magnitude on a conversion that does not saturate gives no finite number: half a step beyond the largest. */
const overflow: { readonly [K in DType]?: readonly [Comparison, number] } = {
  f8e4m3: ["greater", 464],
  f8e4m3fnuz: ["greaterOrEqual", 248],
  f8e5m2: ["greaterOrEqual", 61440],
  f8e5m2fnuz: ["greaterOrEqual", 61440],
};

/** Too large becomes infinite where the dtype has infinities, else NaN. */
function unsaturated(
  cx: LoweringContext,
  x: Value,
  dtype: DType,
  [how, limit]: readonly [Comparison, number],
): Value {
  const wide = to(cx, x, "f32");
  const inside = to(cx, wide, dtype);
  const beyond = compare(cx, cx.op("abs", [wide], {}), how, limit);
  if (dtype !== "f8e5m2") return select(cx, beyond, NaN, inside);
  const signed = select(
    cx,
    compare(cx, wide, "less", 0),
    scalar(cx, dtype, -Infinity),
    scalar(cx, dtype, Infinity),
  );
  return select(cx, beyond, signed, inside);
}

/** Powers of two (OCP MX E8M0): the exponent field of float32, moved up as the rounding mode asks. */
function powersOfTwo(cx: LoweringContext, x: Value): Value {
  const wide = cx.op("abs", [to(cx, x, "f32")], {});
  const bits = cx.op("bitcast", [wide], { dtype: "u32" });
  const mode = textOf(cx, "round_mode", "up");
  const nudge =
    { up: 0x7fffff, down: 0, nearest: 0x400000 }[mode] ?? unsupported(`its round_mode is ${mode}`);
  const exponent = cx.op("shiftRight", [add(cx, bits, nudge), scalar(cx, "u32", 23)], {});
  const code = intOf(cx, "saturate", 1) === 1 ? min(cx, exponent, 254) : exponent;
  const real = compare(cx, wide, "equal", wide);
  const kept = select(cx, real, code, scalar(cx, "u32", 255));
  return cx.op("bitcast", [to(cx, kept, "u8")], { dtype: "f8e8m0" });
}

function cast(cx: LoweringContext, dtype: DType | "string"): Value {
  const x = cx.input(0);
  if (dtype === "string") return unsupported("it makes texts");
  if (dtype === x.type.dtype) return x;
  if (dtype === "f8e8m0") return powersOfTwo(cx, x);
  const limit = overflow[dtype];
  return limit && intOf(cx, "saturate", 1) === 0 ? unsaturated(cx, x, dtype, limit) : to(cx, x, dtype);
}

const target = (cx: LoweringContext): DType | "string" => dtypeOf(intOf(cx, "to", 0), `node ${cx.node.name}`);

export const casts: LoweringTable = {
  Cast: (cx) => [cast(cx, target(cx))],
  CastLike: (cx) => [cast(cx, cx.input(1).type.dtype)],
  BitCast: (cx) => {
    const dtype = target(cx);
    return [dtype === "string" ? unsupported("it makes texts") : cx.op("bitcast", [cx.input(0)], { dtype })];
  },
};
