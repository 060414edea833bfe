import { decodeToF32 } from "../tensor/codec.ts";
import { dtypes, type DType } from "../tensor/dtype.ts";
import { toBits } from "./kernels/bits.ts";
import { allocate, type Numbers } from "./numbers.ts";
import { sizeOfShape, type Tensor } from "./tensor.ts";

type View = new (buffer: ArrayBuffer) => ArrayLike<number> | ArrayLike<bigint>;

/** Dtypes whose stored elements are those of a typed array; all others decode to float32 exactly. */
const views: { readonly [K in DType]?: View } = {
  i64: BigInt64Array,
  u64: BigUint64Array,
  f64: Float64Array,
  i32: Int32Array,
  u32: Uint32Array,
};

/** Row-major little-endian elements as the interpreter holds them; 64-bit integers are exact up to 2^53. */
export function decodeNumbers(dtype: DType, bytes: Uint8Array, count: number): Numbers {
  const out = allocate(dtype, count);
  const View = views[dtype];
  if (View) {
    const view = new View(Uint8Array.from(bytes).buffer);
    for (let i = 0; i < count; i++) out[i] = Number(view[i]);
    return out;
  }
  const floats = out instanceof Float32Array ? out : new Float32Array(count);
  decodeToF32(dtype, bytes, floats);
  if (floats !== out) out.set(floats);
  return out;
}

/** A stored tensor as the interpreter holds it. */
export const tensorFromBytes = (dtype: DType, shape: readonly number[], bytes: Uint8Array): Tensor => ({
  dtype,
  shape,
  data: decodeNumbers(dtype, bytes, sizeOfShape(shape)),
});

/** A tensor's elements as they are stored: row-major, little-endian, of whole bytes each. */
export function bytesFromTensor({ dtype, data }: Tensor): Uint8Array {
  if (dtype === "f32") return new Uint8Array(Float32Array.from(data).buffer);
  const width = Math.ceil(dtypes[dtype].bits / 8);
  const bytes = new Uint8Array(data.length * width);
  const bits = toBits(dtype);
  data.forEach((x, i) => {
    let code = bits(x);
    for (let j = 0; j < width; j++) {
      bytes[i * width + j] = Number(code & 0xffn);
      code >>= 8n;
    }
  });
  return bytes;
}
