/** Whether the boxes that an instruction works on fit one another. */
import { factsOfVector, type Shape, type VectorOp } from "../../schedule/vector-ops.ts";
import type { Instruction, Place } from "../../schedule/walk.ts";

/** Rows and columns of a box: all axes but the last, one after another, are its rows. */
type Size = readonly [number, number];

const sizeOf = ({ size }: Place): Size => {
  let rows = 1;
  for (let i = 0; i < size.length - 1; i++) rows *= size[i] ?? 1;
  return [rows, size.at(-1) ?? 1];
};

const isSame = (a: Size, b: Size): boolean => a[0] === b[0] && a[1] === b[1];
const text = ([rows, cols]: Size): string => `${rows} x ${cols}`;

/** In words, which boxes of an instruction do not fit one another. */
export function misfit({ operation: { stmt }, places }: Instruction): string | undefined {
  const [first, second, third] = places;
  if (!first) return undefined;
  switch (stmt.kind) {
    case "copy":
      return second && copyMisfit(first, second, stmt.transpose);
    case "matmul":
      return second && third && matmulMisfit(sizeOf(first), sizeOf(second), sizeOf(third));
    case "vector":
      return vectorMisfit(stmt.op, places.map(sizeOf));
    default:
      return undefined;
  }
}

/** Whether the elements of a box lie one behind the other. */
const isRun = ({ box, at, size }: Place): boolean =>
  at.length === 1 || size[0] === 1 || (box.kind === "buffer" && size[1] === box.decl.cols);

function copyMisfit(source: Place, target: Place, transpose: boolean): string | undefined {
  const [from, to] = [sizeOf(source), sizeOf(target)];
  const arriving: Size = transpose ? [from[1], from[0]] : from;
  const isOneRun = isRun(source) && isRun(target) && from[0] * from[1] === to[0] * to[1];
  return isSame(arriving, to) || isOneRun ? undefined : `${text(arriving)} elements do not fill ${text(to)}`;
}

function matmulMisfit(a: Size, b: Size, c: Size): string | undefined {
  if (a[1] !== b[1]) return `${text(a)} by ${text(b)} transposed do not multiply`;
  const product: Size = [a[0], b[0]];
  return isSame(product, c) ? undefined : `a product of ${text(product)} does not fill ${text(c)}`;
}

function vectorMisfit(op: VectorOp, sizes: readonly Size[]): string | undefined {
  const { operands, result, isRagged } = factsOfVector(op);
  const to = sizes.at(-1);
  const whole = result === "box" ? to : sizes[0];
  if (isRagged || !to || !whole) return undefined;
  const wanted = (shape: Shape): Size =>
    shape === "box" ? whole : shape === "column" ? [whole[0], 1] : [1, whole[1]];
  const i = [...operands, result].findIndex((shape, at) => !isSame(wanted(shape), sizes[at] ?? [0, 0]));
  return i < 0
    ? undefined
    : `${text(sizes[i] ?? [0, 0])} where ${text(wanted([...operands, result][i] ?? "box"))} belongs`;
}
