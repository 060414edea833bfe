import { diag, type Diagnostic } from "../../support/diagnostics.ts";
import type { DType } from "../../tensor/dtype.ts";
import { globalSpace, type Path, type Profile } from "../profile.ts";
import { type CopyStmt, type Kernel, type MatmulStmt, type VectorStmt } from "../schedule/kernel.ts";
import { pathOf, type Operation, type PreparedPart } from "../schedule/prepare.ts";
import type { VectorOp } from "../schedule/vector-ops.ts";
import { printStmt } from "../schedule/printer.ts";
import { operations } from "./operations.ts";

type End = { readonly space: string; readonly dtype: DType };

const endsOf = ({ regions }: Operation): readonly End[] =>
  regions.map(({ box }) => ({
    space: box.kind === "tensor" ? globalSpace : box.decl.space,
    dtype: box.decl.dtype,
  }));

/** Statements that name spaces or dtypes which their engine does not take. */
export function statementFaults(
  kernel: Kernel,
  parts: readonly PreparedPart[],
  profile: Profile,
): readonly Diagnostic[] {
  return parts.flatMap((part) =>
    operations(part.body).flatMap((it): readonly Diagnostic[] => {
      const ends = endsOf(it);
      const why = whyNot(it.stmt, ends, part.core, profile);
      return why === undefined
        ? []
        : [diag("schedule/illegal", undefined, printStmt(it.stmt, kernel), profile.name, why)];
    }),
  );
}

function whyNot(
  stmt: Operation["stmt"],
  ends: readonly End[],
  core: string,
  profile: Profile,
): string | undefined {
  switch (stmt.kind) {
    case "copy":
      return copyFault(stmt, ends, pathOf(profile, core, ends[0]?.space ?? "", ends[1]?.space ?? ""));
    case "matmul":
      return matmulFault(stmt, ends, core, profile);
    case "vector":
      return vectorFault(stmt, ends, core, profile);
    case "read":
      return ends[0]?.dtype === "i32" && [globalSpace, profile.vector.space].includes(ends[0].space)
        ? undefined
        : `the scalar unit reads i32 of global memory and ${profile.vector.space}`;
    default:
      return undefined;
  }
}

function copyFault(
  { add }: CopyStmt,
  [from, to]: readonly End[],
  path: Path | undefined,
): string | undefined {
  if (!from || !to || !path) return undefined; // no path is a fault of its own
  if (add && to.space !== globalSpace) return `only global memory can be added to, and this is ${to.space}`;
  if (from.dtype === to.dtype) return undefined;
  const known = path.converts?.value ?? [];
  if (known.some((it) => it.from === from.dtype && it.to === to.dtype)) return undefined;
  return `${path.engine} from ${path.from} to ${path.to} does not turn ${from.dtype} into ${to.dtype}`;
}

function matmulFault(
  _: MatmulStmt,
  ends: readonly End[],
  core: string,
  { matrix }: Profile,
): string | undefined {
  const [a, b, c] = ends;
  if (!a || !b || !c) return undefined;
  if (core !== matrix.core) return `${core} cores have no matrix unit`;
  const wrong = ([[a, matrix.a], [b, matrix.b], [c, matrix.c]] as const).find(([end, space]) => end.space !== space); // prettier-ignore
  if (wrong) return `the matrix unit takes this operand from ${wrong[1]}, not from ${wrong[0].space}`;
  const fits = matrix.rates.some((it) => it.a === a.dtype && it.b === b.dtype && it.acc === c.dtype);
  return fits ? undefined : `the matrix unit does not multiply ${a.dtype} by ${b.dtype} into ${c.dtype}`;
}

/** Whether an operator's second operand, or its result, is the index of an element. */
const isIndexed = (op: VectorOp): boolean => op === "argmax" || op === "setAt" || op === "takeAt";

function vectorFault(
  { op }: VectorStmt,
  ends: readonly End[],
  core: string,
  { vector }: Profile,
): string | undefined {
  if (core !== vector.core) return `${core} cores have no vector unit`;
  const outside = ends.find((it) => it.space !== vector.space);
  if (outside) return `the vector unit works in ${vector.space}, not in ${outside.space}`;
  const [from, to] = ends;
  if (op === "copy" && from && to) {
    const isKnown =
      from.dtype === to.dtype ||
      vector.converts.value.some((it) => it.from === from.dtype && it.to === to.dtype);
    return isKnown ? undefined : `the vector unit does not turn ${from.dtype} into ${to.dtype}`;
  }
  const strange = ends.find((it) => !vector.dtypes.value.includes(it.dtype));
  if (strange) return `the vector unit does not calculate in ${strange.dtype}`;
  // Where a row's element stands is a whole number beside whatever the elements are.
  const index = isIndexed(op) ? ends[1] : undefined;
  if (index && index.dtype !== "i32") return `the vector unit counts elements in i32, not in ${index.dtype}`;
  const elements = isIndexed(op) ? ends.filter((_, i) => i !== 1) : ends;
  const other = elements.find((it) => it.dtype !== elements[0]?.dtype);
  return other && `the vector unit does not calculate in ${elements[0]?.dtype} and ${other.dtype} at once`;
}
