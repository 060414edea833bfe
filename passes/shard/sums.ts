import { isOp, type Value } from "../../src/ir/graph.ts";
import { whole, type Box } from "./box.ts";
import type { Cut } from "./cut.ts";
import { isMixture, mixturePiece } from "./mixture.ts";
import { isProduct, isRowParallel, partialProduct } from "./row-parallel.ts";

/** Whether a value is a sum over the tensor group. */
export function isPartial(cut: Cut, value: Value): boolean {
  const node = cut.maker(value);
  if (cut.tensors.of === 1 || !node || value === cut.station.stage.incoming) return false;
  if (isMixture(node)) return cut.experts.of === 1;
  if (isRowParallel(cut, node)) return true;
  return isOp(node, "add") && node.operands.every((it) => isPartial(cut, it));
}

/** Whether a value is made where its tokens are routed: by experts, and what is added to their answers. */
export function isOwned(cut: Cut, value: Value): boolean {
  const node = cut.maker(value);
  if (cut.tokens.of === 1 || !node || value === cut.station.stage.incoming) return false;
  return isMixture(node) || (isOp(node, "add") && node.operands.some((it) => isOwned(cut, it)));
}

/** What the ranks that share tokens have of a value, each for its own tokens, together. */
export const gathered = (cut: Cut, value: Value, part: Value, origin: readonly string[]): Value =>
  cut.emit("allGather", [part], { group: cut.tokens.group, axis: 0, size: value.type.dims[0] ?? 0 }, origin);

/** The sum of what the tensor ranks add to a part of a value. */
export const reduced = (cut: Cut, value: Value, box: Box, origin: readonly string[]): Value =>
  cut.emit("allReduce", [cut.partial(value, box)], { group: cut.tensors.group }, origin);

/** What this rank adds to a part of a value that is a sum over the tensor group. */
export function addend(cut: Cut, value: Value | undefined, box: Box): Value {
  const node = value && cut.maker(value);
  if (!value || !node) throw new Error("a parameter is no sum");
  const make = (): Value => {
    if (isMixture(node)) return mixturePiece(cut, node, box);
    if (isProduct(node)) return partialProduct(cut, node, box);
    const parts = node.operands.map((v) => cut.partial(v, box));
    return cut.emit("add", parts, {}, node.origin);
  };
  return cut.once("partial", node, box, make)[0] ?? value;
}

/** The whole of a value that ranks make together by sums or by tokens; undefined for one that each makes itself. */
export function summed(cut: Cut, value: Value, origin: readonly string[]): Value | undefined {
  if (isPartial(cut, value)) return reduced(cut, value, whole, origin);
  return isOwned(cut, value)
    ? gathered(cut, value, cut.piece(value, new Map([[0, cut.own]])), origin)
    : undefined;
}
