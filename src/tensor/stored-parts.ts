import { encodeBf16 } from "./codec.ts";
import type { Quantized, WeightFormat } from "./format.ts";
import type { QuantizedPart } from "./recipe.ts";

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** The code of E2M1 for each number it holds, counted in halves; minus zero is never written. */
const e2m1Codes: ReadonlyMap<number, number> = new Map(
  [0, 1, 2, 3, 4, 6, 8, 12].flatMap((halves, code) => [
    [-halves, code + 8],
    [halves, code],
  ]),
);

/** Codes of E2M1 two to a byte, the first in the low half. A row has an even number of them. */
function nibbles(codes: Int8Array): Uint8Array {
  const out = new Uint8Array(codes.length / 2);
  const code = (i: number) => e2m1Codes.get(codes[i] ?? 0) ?? 0;
  for (let i = 0; i < out.length; i++) out[i] = code(2 * i) | (code(2 * i + 1) << 4);
  return out;
}

/** Powers of two as E8M0: their exponent and 127. */
const e8m0Codes = (powers: Float32Array): Uint8Array =>
  Uint8Array.from(powers, (x) => Math.round(Math.log2(x)) + 127);

function scaleBytes(scales: Float32Array, dtype: WeightFormat["scale"]): Uint8Array {
  switch (dtype) {
    case "f32":
      return bytesOf(scales);
    case "bf16":
      return bytesOf(encodeBf16(scales));
    case "f8e8m0":
      return e8m0Codes(scales.map((x) => 2 * x));
  }
}

/** A part of a quantized matrix as it is stored, row-major: integers a byte each, E2M1 two to a byte, scales in their dtype. */
export function bytesOfPart(it: Quantized, part: QuantizedPart, format: WeightFormat): Uint8Array {
  switch (part) {
    case "codes":
      return format.codes === "e2m1" ? nibbles(it.codes) : bytesOf(it.codes);
    case "scales":
      return scaleBytes(it.scales, format.scale);
    case "zeros":
      return bytesOf(it.zeros ?? new Int8Array());
  }
}
