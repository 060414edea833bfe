/** What a kernel of products computes, apart from how. */
import type { DType } from "../../../../src/tensor/dtype.ts";
import type { View } from "../vector/tile.ts";

/**
 * How the matrix w [n, k] is stored.
 * - plain: as the matrix unit takes it.
 * - integer: codes behind `scales` f32 [groups, n]; `a` is int8 with `aScales` f32 [S, 1], and the result is that of `integerLinear`.
 * - coded: (code - zero) * scale in float32, rounded to the dtype of `a`, before it is multiplied; `scales` and `zeros` f32 [groups, n].
 * A group is so many columns that share a scale; the last may be shorter. What the matrix unit takes as it is may be stored in the device's
 * fractals, `nz`.
 */
export type Weights =
  | { readonly kind: "plain"; readonly dtype: DType; readonly nz?: boolean }
  | {
      readonly kind: "integer";
      readonly dtype: "i8" | "i4";
      readonly group: number;
      readonly nz?: boolean;
    }
  | { readonly kind: "coded"; readonly dtype: "i8" | "i4"; readonly group: number; readonly zeros: boolean };

/**
 * out[S, n] = a[S, k] w[n, k]^T (+ bias f32 [n]). With heads, a [S, heads, k] and w [heads, n, k] are multiplied head by head. With
 * experts, the rows of a lie expert by expert, `offsets` i32 [experts + 1] says where each begins, a list has them in blocks, and w is [experts, n, k]; scales have
 * the same leading axis.
 */
export type GemmSpec = {
  readonly a: View;
  readonly w: Weights;
  readonly out: View;
  readonly bias?: boolean;
  readonly experts?: number;
};

export const depthOf = ({ a }: GemmSpec): number => a.width;
export const widthOf = ({ out }: GemmSpec): number => out.width;

/** Whether the matrix is stored in fractals. */
export const isFractal = ({ w }: GemmSpec): boolean => w.kind !== "coded" && w.nz === true;

/** Groups of columns that have a scale of their own. */
export const groupsOf = (spec: GemmSpec): number =>
  spec.w.kind === "plain" ? 1 : Math.ceil(depthOf(spec) / spec.w.group);

/** Runs of columns whose products are summed in the matrix unit, each its own sum. */
export const sumsOf = (spec: GemmSpec): number => (spec.w.kind === "integer" ? groupsOf(spec) : 1);

/** The depth of one sum. */
export const runOf = (spec: GemmSpec): number =>
  spec.w.kind === "integer" ? Math.min(spec.w.group, depthOf(spec)) : depthOf(spec);

/** How many matrices w holds. */
export const matricesOf = ({ a, experts }: GemmSpec): number => experts ?? a.heads ?? 1;

/** How many of them meet so many rows, of experts as many as there can be. */
export const matricesWith = (spec: GemmSpec, rows: number): number =>
  spec.experts === undefined ? matricesOf(spec) : Math.min(spec.experts, rows);
