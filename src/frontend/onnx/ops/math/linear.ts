import type { Value } from "../../../../ir/graph.ts";
import { broadcastDims } from "../../../../ir/types.ts";
import { dtypes, type DType } from "../../../../tensor/dtype.ts";
import {
  add,
  broadcast,
  flagOf,
  floatOf,
  mul,
  rankOf,
  reshape,
  sub,
  to,
  transpose,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import { quantizeWith } from "./quantize.ts";

const times = (cx: LoweringContext, x: Value, by: number): Value => (by === 1 ? x : mul(cx, x, by));

/** In which dtype products are summed: narrow ones in float32 or int32. */
function sumDType(dtype: DType): DType {
  const { kind, bits } = dtypes[dtype];
  if (bits === 64 || (kind === "int" && bits === 32)) return dtype;
  return kind === "float" ? "f32" : "i32";
}

/** Leading axes broadcast as numpy does; vectors become matrices for the while. */
export function matmul(cx: LoweringContext, a: Value, b: Value): Value {
  const wide = (x: Value, first: boolean): Value => {
    if (rankOf(x) > 1) return x;
    const [n = 1] = x.type.dims;
    return reshape(cx, x, first ? [1, n] : [n, 1]);
  };
  const sum = sumDType(a.type.dtype);
  const [x, y] = [to(cx, wide(a, true), sum), to(cx, wide(b, false), sum)];
  const lead =
    broadcastDims(x.type.dims.slice(0, -2), y.type.dims.slice(0, -2)) ?? unsupported("its shapes do not fit");
  const left = broadcast(cx, x, [...lead, ...x.type.dims.slice(-2)]);
  const right = rankOf(y) === 2 ? y : broadcast(cx, y, [...lead, ...y.type.dims.slice(-2)]);
  const out = cx.op("matmul", [left, right], {});
  const [m = 1, n = 1] = out.type.dims.slice(-2);
  const dims = [...lead, ...(rankOf(a) > 1 ? [m] : []), ...(rankOf(b) > 1 ? [n] : [])];
  return to(cx, dims.length === rankOf(out) ? out : reshape(cx, out, dims), a.type.dtype);
}

function gemm(cx: LoweringContext): Value {
  const flipped = (x: Value, name: string): Value => (flagOf(cx, name) ? transpose(cx, x, [1, 0]) : x);
  const product = matmul(cx, flipped(cx.input(0), "transA"), flipped(cx.input(1), "transB"));
  const scaled = times(cx, product, floatOf(cx, "alpha", 1));
  const c = cx.optional(2);
  return c ? add(cx, scaled, times(cx, c, floatOf(cx, "beta", 1))) : scaled;
}

/** Codes less their zero point, as int32. A vector of zero points runs along the axis of rows, or of columns. */
function centered(cx: LoweringContext, x: Value, zero: Value | undefined, axis: "rows" | "columns"): Value {
  const wide = to(cx, x, "i32");
  if (!zero) return wide;
  const column = axis === "rows" && rankOf(zero) === 1 && rankOf(x) > 1;
  return sub(cx, wide, to(cx, column ? reshape(cx, zero, [...zero.type.dims, 1]) : zero, "i32"));
}

/** The product of two quantized matrices, quantized again. */
function quantizedMatmul(cx: LoweringContext): Value {
  const [a, b] = [
    centered(cx, cx.input(0), cx.input(2), "rows"),
    centered(cx, cx.input(3), cx.input(5), "columns"),
  ];
  const column = (scale: Value): Value =>
    rankOf(scale) === 1 && rankOf(a) > 1 ? reshape(cx, scale, [...scale.type.dims, 1]) : scale;
  const scale = mul(cx, to(cx, column(cx.input(1)), "f32"), to(cx, cx.input(4), "f32"));
  const exact = mul(cx, to(cx, matmul(cx, a, b), "f32"), scale);
  return quantizeWith(cx, exact, to(cx, cx.input(6), "f32"), cx.input(7));
}

export const linear: LoweringTable = {
  MatMul: (cx) => [matmul(cx, cx.input(0), cx.input(1))],
  Gemm: (cx) => [gemm(cx)],
  MatMulInteger: (cx) => [
    matmul(
      cx,
      centered(cx, cx.input(0), cx.optional(2), "rows"),
      centered(cx, cx.input(1), cx.optional(3), "columns"),
    ),
  ],
  QLinearMatMul: (cx) => [quantizedMatmul(cx)],
};
