/** How large tensors are in a launch, and boxes of them as texts. */
import { compileExpr } from "../../schedule/expr.ts";
import type { Tensor } from "../../schedule/kernel.ts";
import type { Extent } from "../boxes.ts";

export function dimsOf({ dims }: Tensor, sizes: ReadonlyMap<string, number>): readonly number[] {
  const names = [...sizes.keys()];
  const env = [...sizes.values()];
  return dims.map((it) => compileExpr(it, (of) => names.indexOf(of))(env));
}

export const textOf = (tensor: string, { at, size }: Extent): string =>
  `${tensor}[${at.map((from, i) => `${from} : ${size[i]}`).join(", ")}]`;
