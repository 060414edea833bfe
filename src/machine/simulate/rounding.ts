import type { DType } from "../../tensor/dtype.ts";

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/** To bfloat16, to nearest, ties to even. */
function bf16(x: number): number {
  word[0] = x;
  const b = bits[0] ?? 0;
  if ((b & 0x7f800000) === 0x7f800000) return x;
  bits[0] = (b + 0x7fff + ((b >>> 16) & 1)) & 0xffff0000;
  return word[0];
}

const whole =
  (least: number, greatest: number) =>
  (x: number): number => {
    const magic = 6755399441055744; // 1.5 * 2^52: what is added to it loses its fraction, ties to even
    return Math.max(least, Math.min(greatest, x + magic - magic));
  };

const roundings: { readonly [K in DType]?: (x: number) => number } = {
  f32: Math.fround,
  bf16,
  f16: Math.f16round,
  i32: whole(-(2 ** 31), 2 ** 31 - 1),
  i16: whole(-(2 ** 15), 2 ** 15 - 1),
  i8: whole(-128, 127),
  i4: whole(-8, 7),
};

/** How a number comes to be one of a dtype: floats to nearest, whole numbers to nearest within their range, ties to even. */
export function roundingTo(dtype: DType): (x: number) => number {
  const rounding = roundings[dtype];
  if (!rounding) throw new Error(`no engine makes ${dtype}`);
  return rounding;
}
