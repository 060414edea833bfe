/** Element codecs against the formats' definitions, for every code there is. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeToF32, encodeBf16 } from "../../src/tensor/codec.ts";
import {
  byteLength,
  dtypeFromOnnx,
  dtypeFromSafetensors,
  dtypeNames,
  factsOf,
  type DType,
} from "../../src/tensor/dtype.ts";

function decode(dtype: DType, bytes: Uint8Array, count: number): number[] {
  const out = new Float32Array(count);
  decodeToF32(dtype, bytes, out);
  return [...out];
}

/** IEEE-like value of a code: sign, exponent, mantissa; specials as `special` says of magnitudes. */
function ieee(
  code: number,
  e: number,
  m: number,
  special: (magnitude: number) => number | undefined,
): number {
  const sign = code >> (e + m) === 1 ? -1 : 1;
  const magnitude = code & ((1 << (e + m)) - 1);
  const named = special(magnitude);
  if (named !== undefined) return sign * named;
  const exponent = magnitude >> m;
  const mantissa = magnitude & ((1 << m) - 1);
  const bias = (1 << (e - 1)) - 1;
  return exponent === 0
    ? sign * mantissa * 2 ** (1 - bias - m)
    : sign * ((1 << m) + mantissa) * 2 ** (exponent - bias - m);
}

const withInfinity =
  (e: number, m: number) =>
  (magnitude: number): number | undefined => {
    const infinity = ((1 << e) - 1) << m;
    return magnitude < infinity ? undefined : magnitude === infinity ? Infinity : NaN;
  };
const formats: readonly (readonly [DType, number, (code: number) => number])[] = [
  ["f16", 65536, (c) => ieee(c, 5, 10, withInfinity(5, 10))],
  ["bf16", 65536, (c) => ieee(c, 8, 7, withInfinity(8, 7))],
  ["f8e4m3", 256, (c) => ieee(c, 4, 3, (x) => (x === 0x7f ? NaN : undefined))],
  ["f8e5m2", 256, (c) => ieee(c, 5, 2, withInfinity(5, 2))],
  ["f8e4m3fnuz", 256, (c) => (c === 0x80 ? NaN : ieee(c, 4, 3, () => undefined) / 2)],
  ["f8e5m2fnuz", 256, (c) => (c === 0x80 ? NaN : ieee(c, 5, 2, () => undefined) / 2)],
  ["f8e8m0", 256, (c) => (c === 255 ? NaN : 2 ** (c - 127))],
];

test.each(formats)("%s: every one of %i codes has its value", (dtype, codes, value) => {
  const wide = byteLength(dtype, 1) === 2;
  const all = Array.from({ length: codes }, (_, code) => code);
  const bytes = wide ? new Uint8Array(Uint16Array.from(all).buffer) : Uint8Array.from(all);
  expect(decode(dtype, bytes, codes)).toEqual(all.map(value));
});

test("f4e2m1: the low nibble comes first", () => {
  const values = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6];
  const bytes = Uint8Array.from({ length: 8 }, (_, i) => 2 * i + 16 * (2 * i + 1));
  expect(decode("f4e2m1", bytes, 16)).toEqual(values);
});

test("integers of less than a byte come lowest bits first", () => {
  const bytes = Uint8Array.of(0b11_10_01_00, 0x8f);
  expect(decode("u2", bytes, 8)).toEqual([0, 1, 2, 3, 3, 3, 0, 2]);
  expect(decode("i2", bytes, 4)).toEqual([0, 1, -2, -1]);
  expect(decode("u4", bytes, 4)).toEqual([4, 14, 15, 8]);
  expect(decode("i4", bytes, 4)).toEqual([4, -2, -1, -8]);
});

test("elements are read at any address", () => {
  const bytes = new Uint8Array(9);
  new DataView(bytes.buffer).setFloat32(1, 1.5, true);
  new DataView(bytes.buffer).setFloat32(5, -2, true);
  expect(decode("f32", bytes.subarray(1), 2)).toEqual([1.5, -2]);
});

describe("float32 to bfloat16", () => {
  const encode = (x: number): number => encodeBf16(Float32Array.of(x))[0] ?? -1;
  const value = (code: number): number => ieee(code, 8, 7, withInfinity(8, 7));

  test("every bfloat16 comes back as it was", () => {
    for (let code = 0; code < 65536; code++) {
      const x = value(code);
      if (Number.isNaN(x)) expect(value(encode(x))).toBeNaN();
      else expect(encode(x)).toBe(code);
    }
  });
  test("goes to the nearest, and halfway to the even code", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (x) => {
        const code = encode(x);
        const distance = Math.abs(value(code) - x);
        for (const other of [code - 1, code + 1]) {
          const next = value(other & 0xffff);
          if (!Number.isFinite(next) || !Number.isFinite(value(code))) continue;
          expect(Math.abs(next - x)).toBeGreaterThanOrEqual(distance);
          if (Math.abs(next - x) === distance && next !== value(code)) expect(code % 2).toBe(0);
        }
      }),
      { numRuns: 2000 },
    );
  });
  test("overflows to infinity and keeps the sign of zero", () => {
    expect(value(encode(3.4e38))).toBe(Infinity);
    expect(encode(-0)).toBe(0x8000);
  });
});

test("the table of dtypes names each as safetensors and ONNX do", () => {
  for (const name of dtypeNames) {
    const { safetensors, onnx } = factsOf(name);
    if (safetensors !== undefined) expect(dtypeFromSafetensors(safetensors)).toBe(name);
    if (onnx !== undefined) expect(dtypeFromOnnx(onnx)).toBe(name);
  }
  expect(dtypeFromSafetensors("f32")).toBeUndefined();
});
