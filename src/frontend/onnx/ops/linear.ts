import type { Value } from "../../../ir/graph.ts";
import { broadcastDims } from "../../../ir/types.ts";
import {
  constantLike,
  floatOf,
  intOf,
  rankOf,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../lowering.ts";

const flipped = (cx: LoweringContext, x: Value): Value => cx.op("transpose", [x], { perm: [1, 0] });
const times = (cx: LoweringContext, x: Value, by: number): Value =>
  by === 1 ? x : cx.op("mul", [x, constantLike(cx, x, by)], {});

/** Leading axes broadcast as numpy does; vectors become matrices for the while. */
function matmul(cx: LoweringContext, a: Value, b: Value): Value {
  if (a.type.dtype !== "f32") return unsupported(`it multiplies ${a.type.dtype}`);
  const wide = (x: Value, first: boolean): Value => {
    if (rankOf(x) > 1) return x;
    const [n = 1] = x.type.dims;
    return cx.op("reshape", [x], { dims: first ? [1, n] : [n, 1] });
  };
  const [x, y] = [wide(a, true), wide(b, false)];
  const lead =
    broadcastDims(x.type.dims.slice(0, -2), y.type.dims.slice(0, -2)) ?? unsupported("its shapes do not fit");
  const spread = (v: Value): Value =>
    rankOf(v) === lead.length + 2 && v.type.dims.slice(0, -2).every((d, i) => d === lead[i])
      ? v
      : cx.op("broadcast", [v], { dims: [...lead, ...v.type.dims.slice(-2)] });
  const out = cx.op("matmul", [spread(x), spread(y)], {});
  const [m = 1, n = 1] = out.type.dims.slice(-2);
  const dims = [...lead, ...(rankOf(a) > 1 ? [m] : []), ...(rankOf(b) > 1 ? [n] : [])];
  return dims.length === rankOf(out) ? out : cx.op("reshape", [out], { dims });
}

export const linear: LoweringTable = {
  MatMul: (cx) => [matmul(cx, cx.input(0), cx.input(1))],
  Gemm: (cx) => {
    const a = intOf(cx, "transA", 0) ? flipped(cx, cx.input(0)) : cx.input(0);
    const b = intOf(cx, "transB", 0) ? flipped(cx, cx.input(1)) : cx.input(1);
    const product = times(cx, matmul(cx, a, b), floatOf(cx, "alpha", 1));
    const c = cx.optional(2);
    return [c ? cx.op("add", [product, times(cx, c, floatOf(cx, "beta", 1))], {}) : product];
  },
};
