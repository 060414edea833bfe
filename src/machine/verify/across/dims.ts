import { compileExpr } from "../../schedule/expr.ts";
import type { Tensor } from "../../schedule/kernel.ts";

/** How large a tensor is in a launch. */
export function dimsOf({ dims }: Tensor, sizes: ReadonlyMap<string, number>): readonly number[] {
  const names = [...sizes.keys()];
  const env = [...sizes.values()];
  return dims.map((it) => compileExpr(it, (of) => names.indexOf(of))(env));
}
