import type { Node, Value } from "../../src/ir/graph.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import { sameDims } from "../../src/ir/types.ts";

const rank = (value: Value | undefined): number => value?.type.dims.length ?? 0;
const inAndOut = (node: Node): readonly Value[] => [...node.operands, ...node.results];

/** Operators whose rows are those of a matrix. */
const ofMatrices: ReadonlySet<OpName> = new Set<OpName>([
  "linear",
  "swigluPacked",
  "router",
  "experts",
  "expertHidden",
  "integerLinear",
  "integerExperts",
  "addRmsNorm",
]);

/**
 * Why the kernels cannot take an operator with operands of these types, or undefined. They were made for tokens as rows, of heads
 * at most, in float32; weights and indices are looked at where they are read.
 */
export function misfit(node: Node): string | undefined {
  const { op, operands, results } = node;
  if (results.some((v) => rank(v) < 1 || rank(v) > 3)) return "its rank is not 1, 2 or 3";
  const holdsCodes = op === "quantizeRows" || op === "cacheAppend";
  if (
    results.some(
      ({ type: { dtype } }) => dtype !== "f32" && dtype !== "i32" && !(holdsCodes && dtype === "i8"),
    )
  )
    return `it makes ${String(results[0]?.type.dtype)}`;
  if (inAndOut(node).some((v) => v.type.dims.slice(1).includes(0))) return "it is empty";
  const [a, b] = operands;
  if ((op === "add" || op === "mul") && !(a && b && sameDims(a.type.dims, b.type.dims)))
    return "its operands broadcast";
  if (ofMatrices.has(op) && rank(a) !== 2) return `its rows are not those of a matrix`;
  if (op === "reshape" && (rank(a) < 1 || rank(a) > 3)) return "its operand's rank is not 1, 2 or 3";
  return undefined;
}
