import type { DType } from "../tensor/dtype.ts";

/** A value in memory: floats as float32 whatever they are stored as, indices as int32. */
export type Tensor = {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
};

export const sizeOfShape = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

export const floats = (shape: readonly number[], data = new Float32Array(sizeOfShape(shape))): Tensor => ({
  dtype: "f32",
  shape,
  data,
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
  const data = x.data instanceof Int32Array ? new Int32Array(size) : new Float32Array(size);
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
  return gatherStrided(
    x,
    shape,
    shape.map((_, i) => ((x.shape[i - shift] ?? 1) === 1 ? 0 : (strides[i - shift] ?? 0))),
  );
}
