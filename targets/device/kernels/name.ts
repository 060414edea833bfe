/** How kernels are named: what they do, the size of what they do it to, what it is made of. */
import type { DType } from "../../../src/tensor/dtype.ts";
import type { View } from "./vector/tile.ts";

/** `linear`, `176x192`, `bf16` as `linear_176x192_bf16`; what is not there is left out. */
export const named = (...parts: readonly (string | number | false | undefined)[]): string =>
  parts.filter((it) => it !== false && it !== undefined).join("_");

/** `4x32` of rows of 4 heads of 32. */
export const sizeOf = ({ heads = 1, width }: View): string => (heads > 1 ? `${heads}x${width}` : `${width}`);

/** `bf16`, or `f32_bf16` where work is given out in another dtype than it came in. */
export const typesOf = (from: DType, to: DType = from): string => (from === to ? from : `${from}_${to}`);
