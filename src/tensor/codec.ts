import { displayName, type DType } from "./dtype.ts";

/**
 * Exact codecs between stored elements and float32. 8-bit and smaller floats go through tables of all their codes.
 * Formats: OCP OFP8 (E4M3 without infinities, E5M2), OCP MX (E8M0, E2M1), IEEE 754 binary16, bfloat16.
 */

/** Value of a small float: sign, `exponentBits`, `mantissaBits`, subnormals included; specials are the caller's. */
function smallFloat(code: number, exponentBits: number, mantissaBits: number): number {
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = (code >> (exponentBits + mantissaBits)) & 1 ? -1 : 1;
  const exponent = (code >> mantissaBits) & (2 ** exponentBits - 1);
  const fraction = (code & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
}

const table = (codes: number, value: (code: number) => number): Float32Array =>
  Float32Array.from({ length: codes }, (_, code) => value(code));

const e4m3 = table(256, (c) => ((c & 0x7f) === 0x7f ? NaN : smallFloat(c, 4, 3)));
const e5m2 = table(256, (c) => {
  const magnitude = c & 0x7f;
  if (magnitude > 0x7c) return NaN;
  return magnitude === 0x7c ? (c & 0x80 ? -Infinity : Infinity) : smallFloat(c, 5, 2);
});
/** The "fnuz" forms have one more bias, one zero and one NaN, in the place of minus zero (Noune et al. 2022). */
const fnuz = (exponentBits: number, mantissaBits: number): Float32Array =>
  table(256, (c) => (c === 0x80 ? NaN : smallFloat(c, exponentBits, mantissaBits) / 2));
const e8m0 = table(256, (c) => (c === 255 ? NaN : 2 ** (c - 127)));
const e2m1 = table(16, (c) => smallFloat(c, 2, 1));

/** The same bytes at an address that a typed array of `alignment` bytes an element accepts. */
const aligned = (bytes: Uint8Array, alignment: number): Uint8Array =>
  bytes.byteOffset % alignment === 0 ? bytes : bytes.slice();

type Decoder = (bytes: Uint8Array, out: Float32Array) => void;

const byTable =
  (values: Float32Array): Decoder =>
  (bytes, out) => {
    for (let i = 0; i < out.length; i++) out[i] = values[bytes[i] ?? 0] ?? NaN;
  };

/** Elements of less than a byte, the lowest bits first. */
const bySmallCode =
  (bits: 2 | 4, value: (code: number) => number): Decoder =>
  (bytes, out) => {
    const perByte = 8 / bits;
    const mask = (1 << bits) - 1;
    for (let i = 0; i < out.length; i++)
      out[i] = value(((bytes[Math.floor(i / perByte)] ?? 0) >> (bits * (i % perByte))) & mask);
  };

type ArrayOf = new (
  buffer: ArrayBufferLike,
  offset: number,
  length: number,
) => ArrayLike<number> | ArrayLike<bigint>;

const byArray =
  (View: ArrayOf, width: number): Decoder =>
  (bytes, out) => {
    const b = aligned(bytes, width);
    const values = new View(b.buffer, b.byteOffset, out.length);
    for (let i = 0; i < out.length; i++) out[i] = Number(values[i]);
  };

const decoders: { readonly [K in DType]?: Decoder } = {
  f64: byArray(Float64Array, 8),
  f32: (bytes, out) => {
    const b = aligned(bytes, 4);
    out.set(new Float32Array(b.buffer, b.byteOffset, out.length));
  },
  f16: byArray(Float16Array, 2),
  bf16: (bytes, out) => {
    const b = aligned(bytes, 2);
    const codes = new Uint16Array(b.buffer, b.byteOffset, out.length);
    const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
    for (let i = 0; i < codes.length; i++) bits[i] = (codes[i] ?? 0) << 16;
  },
  f8e4m3: byTable(e4m3),
  f8e5m2: byTable(e5m2),
  f8e4m3fnuz: byTable(fnuz(4, 3)),
  f8e5m2fnuz: byTable(fnuz(5, 2)),
  f8e8m0: byTable(e8m0),
  f4e2m1: bySmallCode(4, (code) => e2m1[code] ?? NaN),
  i4: bySmallCode(4, (code) => (code << 28) >> 28),
  u4: bySmallCode(4, (code) => code),
  i2: bySmallCode(2, (code) => (code << 30) >> 30),
  u2: bySmallCode(2, (code) => code),
  i64: byArray(BigInt64Array, 8),
  i32: byArray(Int32Array, 4),
  i16: byArray(Int16Array, 2),
  i8: byArray(Int8Array, 1),
  u64: byArray(BigUint64Array, 8),
  u32: byArray(Uint32Array, 4),
  u16: byArray(Uint16Array, 2),
  u8: byArray(Uint8Array, 1),
  bool: byArray(Uint8Array, 1),
};

/** Decode `out.length` elements. Elements of less than a byte lie lowest bits first. Throws for dtypes without a float32 value. */
export function decodeToF32(dtype: DType, bytes: Uint8Array, out: Float32Array): void {
  const decode = decoders[dtype];
  if (!decode) throw new Error(`${displayName(dtype)} has no float32 value`);
  decode(bytes, out);
}

/** float32 to bfloat16, to nearest, ties to even; a NaN stays one. */
export function encodeBf16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const b = bits[i] ?? 0;
    const isNaN = (b & 0x7fffffff) > 0x7f800000;
    out[i] = isNaN ? (b >>> 16) | 0x40 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
  }
  return out;
}
