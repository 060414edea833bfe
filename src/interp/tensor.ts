import type { DType } from "../tensor/dtype.ts";
import { allocate, type Numbers } from "./numbers.ts";

/** A value in memory. */
export type Tensor = {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Numbers;
};

export const sizeOfShape = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

export const floats = (shape: readonly number[], data = new Float32Array(sizeOfShape(shape))): Tensor => ({
  dtype: "f32",
  shape,
  data,
});

/** A value of any dtype, all zero. */
export const zeros = (dtype: DType, shape: readonly number[]): Tensor => ({
  dtype,
  shape,
  data: allocate(dtype, sizeOfShape(shape)),
});

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] ?? 1) * (shape[i + 1] ?? 1);
  return strides;
}

/** Copy out of `x` by strides: element (i0, i1, …) of the result lies at offset + Σ i·strides in `x`. */
export function gatherStrided(
  x: Tensor,
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): Tensor {
  const size = sizeOfShape(shape);
  const data = allocate(x.dtype, size);
  const index = new Array<number>(shape.length).fill(0);
  let from = offset;
  for (let to = 0; to < size; to++) {
    data[to] = x.data[from] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const i = (index[axis] ?? 0) + 1;
      const stride = strides[axis] ?? 0;
      if (i < (shape[axis] ?? 1)) {
        index[axis] = i;
        from += stride;
        break;
      }
      from -= (i - 1) * stride;
      index[axis] = 0;
    }
  }
  return { dtype: x.dtype, shape, data };
}

/** Repeat `x` to `shape` as numpy does. */
export function broadcastTo(x: Tensor, shape: readonly number[]): Tensor {
  const shift = shape.length - x.shape.length;
  const strides = stridesOf(x.shape);
  if (x.shape.some((d, i) => d !== 1 && d !== shape[i + shift]))
    throw new RangeError(`[${x.shape.join()}] does not broadcast to [${shape.join()}]`);
  return gatherStrided(
    x,
    shape,
    shape.map((_, i) => ((x.shape[i - shift] ?? 1) === 1 ? 0 : (strides[i - shift] ?? 0))),
  );
}
