/** Sums of two values that are not made where they stand. */
import { isOp, type NodeOf } from "../../../src/ir/graph.ts";
import type { DeviceContext } from "../context.ts";

/** The norm that a sum is left to: it alone reads it, and adds it to what it takes. */
export function normThatAdds(
  cx: DeviceContext,
  { results: [out] }: NodeOf<"add">,
): NodeOf<"addRmsNorm"> | undefined {
  const [reader, another] = cx.consumers(out);
  const isLeft = !another && isOp(reader, "addRmsNorm") && reader.operands[0] !== out;
  return isLeft && !cx.readers(out).has("result") ? reader : undefined;
}
