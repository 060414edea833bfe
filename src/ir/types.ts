import type { DType } from "../tensor/dtype.ts";
import { mayEqual, plainer, type Dim } from "./dim.ts";

export type TensorType = { readonly dtype: DType; readonly dims: readonly Dim[] };

export const tensor = (dtype: DType, ...dims: Dim[]): TensorType => ({ dtype, dims });

export const sameDims = (a: readonly Dim[], b: readonly Dim[]): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i]);

export const sameType = (a: TensorType, b: TensorType): boolean =>
  a.dtype === b.dtype && sameDims(a.dims, b.dims);

export const formatDims = (dims: readonly Dim[]): string => `[${dims.join(",")}]`;
export const formatType = (t: TensorType): string => `${t.dtype}${formatDims(t.dims)}`;

/** Numpy broadcasting of two shapes, or undefined where they do not fit. */
export function broadcastDims(a: readonly Dim[], b: readonly Dim[]): readonly Dim[] | undefined {
  const rank = Math.max(a.length, b.length);
  const out: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== 1 && y !== 1 && !mayEqual(x, y)) return undefined;
    out.push(x === 1 ? y : y === 1 ? x : plainer(x, y));
  }
  return out;
}

/** The product of static dims; named dims count as `named` (1 for "per token" figures). */
export const sizeOf = (dims: readonly Dim[], named = 1): number =>
  dims.reduce<number>((n, d) => n * (typeof d === "number" ? d : named), 1);
