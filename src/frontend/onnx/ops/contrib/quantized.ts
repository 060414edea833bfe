import { productOf } from "../../../../ir/dim.ts";
import type { Value } from "../../../../ir/graph.ts";
import {
  add,
  dimOf,
  intOf,
  mul,
  reshape,
  scalar,
  slice,
  sub,
  to,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";

/** Codes of 2, 4 or 8 bits out of bytes, the lowest first: the last axis grows by the codes a byte holds. */
export function unpackCodes(cx: LoweringContext, bytes: Value, bits: number): Value {
  const perByte = 8 / bits;
  if (perByte === 1) return to(cx, bytes, "f32");
  const { dims } = bytes.type;
  const parts = Array.from({ length: perByte }, (_, i) => {
    const moved = i === 0 ? bytes : cx.op("shiftRight", [bytes, scalar(cx, "u8", bits * i)], {});
    const code = cx.op("bitAnd", [moved, scalar(cx, "u8", 2 ** bits - 1)], {});
    return reshape(cx, code, [...dims, 1]);
  });
  const joined = cx.op("concat", parts, { axis: dims.length });
  const [last = 1] = dims.slice(-1);
  return to(cx, reshape(cx, joined, [...dims.slice(0, -1), productOf([last, perByte])]), "f32");
}

/** (codes - zero) * scale, with codes [rows, blocks, block], scales and zero points [rows, blocks]. */
export function dequantizeBlocks(
  cx: LoweringContext,
  codes: Value,
  scales: Value,
  zero: Value | number,
): Value {
  const column = (x: Value): Value => reshape(cx, to(cx, x, "f32"), [dimOf(codes, 0), dimOf(codes, 1), 1]);
  const centered = typeof zero === "number" ? sub(cx, codes, zero) : sub(cx, codes, column(zero));
  return mul(cx, centered, column(scales));
}

/** Zero points packed like codes, a row padded to whole bytes; or floats, one a block. */
function zeroPoints(
  cx: LoweringContext,
  zero: Value | undefined,
  rows: number,
  blocks: number,
  bits: number,
): Value | number {
  if (!zero) return 2 ** (bits - 1);
  if (zero.type.dtype !== "u8") return zero;
  const bytes = Math.ceil((blocks * bits) / 8);
  return slice(cx, unpackCodes(cx, reshape(cx, zero, [rows, bytes]), bits), 1, 0, blocks);
}

/** A product with a matrix of low-bit codes in blocks along K: [N, blocks, bytes]. */
function matMulNBits(cx: LoweringContext): Value {
  const [k, n] = [intOf(cx, "K", 0), intOf(cx, "N", 0)];
  const [bits, block] = [intOf(cx, "bits", 4), intOf(cx, "block_size", 32)];
  if (8 % bits !== 0) return unsupported(`its codes are of ${bits} bits`);
  if (cx.optional(4)) return unsupported("its columns are in another order (g_idx)");
  const blocks = Math.ceil(k / block);
  const codes = unpackCodes(cx, reshape(cx, cx.input(1), [n, blocks, (block * bits) / 8]), bits);
  const zero = zeroPoints(cx, cx.optional(3), n, blocks, bits);
  const weight = reshape(cx, dequantizeBlocks(cx, codes, cx.input(2), zero), [n, blocks * block]);
  const x = cx.input(0);
  const out = cx.op("linear", [to(cx, x, "f32"), slice(cx, weight, 1, 0, k)], {});
  const bias = cx.optional(5);
  return to(cx, bias ? add(cx, out, to(cx, bias, "f32")) : out, x.type.dtype);
}

export const contribQuantized: LoweringTable = {
  MatMulNBits: (cx) => [matMulNBits(cx)],
};
