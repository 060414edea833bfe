import type { bitOps } from "../../ir/ops/bits.ts";
import type { OpName } from "../../ir/ops/index.ts";
import { decodeToF32 } from "../../tensor/codec.ts";
import { dtypes, type DType } from "../../tensor/dtype.ts";
import { need, result, type Kernel } from "../kernel.ts";
import { broadcastTo } from "../tensor.ts";

/** Patterns of up to 16 bits as float32, by pattern. */
function valuesOf(dtype: DType): Float32Array {
  const { bits } = dtypes[dtype];
  const patterns = bits === 16 ? Uint16Array.from({ length: 65536 }, (_, i) => i) : bytesOfAll(bits);
  const values = new Float32Array(2 ** bits);
  decodeToF32(dtype, new Uint8Array(patterns.buffer), values);
  return values;
}

/** All patterns of 8 bits or fewer one after another, packed from the lowest bits up. */
function bytesOfAll(bits: number): Uint8Array {
  const perByte = 8 / bits;
  return Uint8Array.from({ length: 2 ** bits / perByte }, (_, i) =>
    Array.from({ length: perByte }, (_x, j) => (i * perByte + j) << (bits * j)).reduce((a, b) => a | b, 0),
  );
}

const scratch = new DataView(new ArrayBuffer(8));
const floatBits = (x: number): number => {
  scratch.setFloat32(0, x);
  return scratch.getUint32(0);
};

/** The bits of elements of a dtype, as a number without sign. */
export function toBits(dtype: DType): (x: number) => bigint {
  const { bits, kind } = dtypes[dtype];
  if (kind !== "float") return (x) => BigInt.asUintN(bits, BigInt(x));
  if (bits === 32) return (x) => BigInt(floatBits(x));
  if (bits === 64)
    return (x) => {
      scratch.setFloat64(0, x);
      return scratch.getBigUint64(0);
    };
  const codes = new Map<number, number>();
  valuesOf(dtype).forEach((value, code) => void codes.set(floatBits(value), code));
  return (x) => BigInt(codes.get(floatBits(x)) ?? 0);
}

/** The element that bits stand for. */
function fromBits(dtype: DType): (code: bigint) => number {
  const { bits, kind } = dtypes[dtype];
  if (kind === "bool") return (code) => (code === 0n ? 0 : 1);
  if (kind !== "float") return dtype.startsWith("u") ? Number : (code) => Number(BigInt.asIntN(bits, code));
  if (bits === 32)
    return (code) => {
      scratch.setUint32(0, Number(code));
      return scratch.getFloat32(0);
    };
  if (bits === 64)
    return (code) => {
      scratch.setBigUint64(0, code);
      return scratch.getFloat64(0);
    };
  const values = valuesOf(dtype);
  return (code) => values[Number(code)] ?? NaN;
}

/** The bits of both operands, and the number of bits, to those of the result. */
const binary =
  <K extends OpName>(f: (a: bigint, b: bigint, width: bigint) => bigint): Kernel<K> =>
  (operands, call) => {
    const out = result(call);
    const [bits, value, width] = [toBits(out.dtype), fromBits(out.dtype), dtypes[out.dtype].bits];
    const a = broadcastTo(need(operands, 0), out.shape);
    const b = broadcastTo(need(operands, 1), out.shape);
    for (let i = 0; i < out.data.length; i++) {
      const code = f(bits(a.data[i] ?? 0), bits(b.data[i] ?? 0), BigInt(width));
      out.data[i] = value(BigInt.asUintN(width, code));
    }
    return [out];
  };

/** As far as there are bits; a negative distance counts as too far. */
const shiftRight: Kernel<"shiftRight"> = (operands, call) => {
  const signed = call.dtypes[0]?.startsWith("i") === true;
  const down = (a: bigint, b: bigint, width: bigint): bigint =>
    (signed ? BigInt.asIntN(Number(width), a) : a) >> (b < width ? b : width);
  return binary<"shiftRight">(down)(operands, call);
};

export const bitKernels: { readonly [K in keyof typeof bitOps]: Kernel<K> } = {
  bitAnd: binary((a, b) => a & b),
  bitOr: binary((a, b) => a | b),
  bitXor: binary((a, b) => a ^ b),
  bitNot: (operands, call) => {
    const x = need(operands, 0);
    const out = result(call);
    const [bits, value, width] = [toBits(x.dtype), fromBits(x.dtype), dtypes[x.dtype].bits];
    for (let i = 0; i < out.data.length; i++)
      out.data[i] = value(BigInt.asUintN(width, ~bits(x.data[i] ?? 0)));
    return [out];
  },
  shiftLeft: binary((a, b, width) => (b < width ? a << b : 0n)),
  shiftRight,
  bitcast: (operands, call) => {
    const x = need(operands, 0);
    const out = result(call);
    const [bits, value] = [toBits(x.dtype), fromBits(out.dtype)];
    for (let i = 0; i < out.data.length; i++) out.data[i] = value(bits(x.data[i] ?? 0));
    return [out];
  },
};
