import type { Value } from "../../../ir/graph.ts";
import type { DType } from "../../../tensor/dtype.ts";
import { intOf, unsupported, type LoweringContext, type LoweringTable } from "../lowering.ts";
import { dtypeOf } from "../tensor.ts";

/** Types whose conversion is told apart by `saturate`. */
const saturating = new Set<DType>(["f8e4m3", "f8e4m3fnuz", "f8e5m2", "f8e5m2fnuz"]);

function cast(cx: LoweringContext, to: DType | "string"): Value {
  const x = cx.input(0);
  if (to === "string") return unsupported("it makes texts");
  if (to === "f8e8m0") return unsupported("it makes powers of two");
  if (saturating.has(to) && intOf(cx, "saturate", 1) === 0) return unsupported("it does not saturate");
  return cx.op("cast", [x], { dtype: to });
}

export const casts: LoweringTable = {
  Cast: (cx) => [cast(cx, dtypeOf(intOf(cx, "to", 0), `node ${cx.node.name}`))],
  CastLike: (cx) => [cast(cx, cx.input(1).type.dtype)],
};
