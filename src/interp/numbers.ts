import { dtypes, type DType } from "../tensor/dtype.ts";
import { smallFloatRounder } from "./small-floats.ts";

/** How the interpreter holds elements: each array takes every number of its dtypes exactly. */
export type Numbers = Float32Array | Float64Array | Int32Array;

/** 64-bit integers are held as float64: exact up to 2^53, which shapes, indices and counts never pass. */
const wide: ReadonlySet<DType> = new Set<DType>(["f64", "i64", "u64", "u32"]);
const integers: ReadonlySet<DType> = new Set<DType>([
  "i32",
  "i16",
  "i8",
  "i4",
  "i2",
  "u16",
  "u8",
  "u4",
  "u2",
  "bool",
]);

/** Room for `size` elements of a dtype, all zero. */
export function allocate(dtype: DType, size: number): Numbers {
  if (wide.has(dtype)) return new Float64Array(size);
  return integers.has(dtype) ? new Int32Array(size) : new Float32Array(size);
}

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** To the nearest bfloat16, ties to even. */
function bf16Round(x: number): number {
  float[0] = x;
  const code = bits[0] ?? 0;
  if ((code & 0x7fffffff) > 0x7f800000) return NaN;
  bits[0] = ((code + 0x7fff + ((code >>> 16) & 1)) >>> 16) << 16;
  return float[0] ?? NaN;
}

const signed =
  (width: number) =>
  (x: number): number =>
    (x << (32 - width)) >> (32 - width);
const unsigned =
  (width: number) =>
  (x: number): number =>
    x & (2 ** width - 1);

/** What storing a result in a dtype makes of it: floats to the nearest, integers wrapped as two's complement. */
const rounders: { readonly [K in DType]?: (x: number) => number } = {
  f16: (x) => Math.f16round(x),
  bf16: bf16Round,
  f8e4m3: smallFloatRounder("f8e4m3"),
  f8e4m3fnuz: smallFloatRounder("f8e4m3fnuz"),
  f8e5m2: smallFloatRounder("f8e5m2"),
  f8e5m2fnuz: smallFloatRounder("f8e5m2fnuz"),
  f4e2m1: smallFloatRounder("f4e2m1"),
  bool: (x) => (x === 0 ? 0 : 1),
  i64: (x) => (Number.isSafeInteger(x) ? x : Number(BigInt.asIntN(64, BigInt(x)))),
  u64: (x) => (Number.isSafeInteger(x) && x >= 0 ? x : Number(BigInt.asUintN(64, BigInt(x)))),
  i32: (x) => x | 0,
  u32: (x) => x >>> 0,
  i16: signed(16),
  u16: unsigned(16),
  i8: signed(8),
  u8: unsigned(8),
  i4: signed(4),
  u4: unsigned(4),
  i2: signed(2),
  u2: unsigned(2),
};

/** The least number of a dtype. */
export function lowestOf(dtype: DType): number {
  const { kind, bits } = dtypes[dtype];
  if (kind === "float") return -Infinity;
  return kind === "bool" || dtype.startsWith("u") ? 0 : -(2 ** (bits - 1));
}

/** How a dtype rounds a result; float32 and float64 are rounded by their arrays. */
export const rounderOf = (dtype: DType): ((x: number) => number) => rounders[dtype] ?? ((x) => x);

/** To the nearest whole number, ties to the even one. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
