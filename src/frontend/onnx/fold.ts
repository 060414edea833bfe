import { buildFunc, type Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/graph.ts";
import { sizeOf } from "../../ir/types.ts";
import { interpret } from "../../interp/interpret.ts";

/** Values of up to this many elements are computed at import, so that shapes made of shapes are known. */
export const foldLimit = 256;

/**
 * The elements of an operator's first result where all its operands are known, by the interpreter; undefined where one is not
 * known or the result is too large to be a shape.
 */
export function foldOp(
  value: Value,
  operands: readonly Value[],
  known: (value: Value) => readonly number[] | undefined,
  make: (b: Builder, operands: readonly Value[]) => Value,
): readonly number[] | undefined {
  const { dims } = value.type;
  if (operands.length === 0 || dims.some((d) => typeof d !== "number") || sizeOf(dims) > foldLimit)
    return undefined;
  const b = buildFunc("fold");
  const constants: Value[] = [];
  for (const operand of operands) {
    const values = known(operand);
    if (!values) return undefined;
    const { dtype } = operand.type;
    constants.push(b.op("constant", [], { dtype, dims: operand.type.dims.map(Number), values }));
  }
  b.result("out", make(b, constants));
  const results = interpret(b.finish(), new Map(), () => {
    throw new Error("a constant has no weights");
  });
  const out = results.get("out");
  return out && [...out.data];
}
