import { productOf } from "../../../../ir/dim.ts";
import {
  constant as literal,
  dequantize,
  slice as sliceRecipe,
  type Recipe,
} from "../../../../tensor/recipe.ts";
import type { DType } from "../../../../tensor/dtype.ts";
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

/** How codes lie: rows of blocks, the codes of a block and the bits of a code. */
export type Blocks = {
  readonly rows: number;
  readonly blocks: number;
  readonly block: number;
  readonly bits: number;
};

const codeDTypes: Readonly<Record<number, DType>> = { 2: "u2", 4: "u4", 8: "u8" };

/**
 * Codes, scales and zero points of the file as one weight [rows, blocks * block], so that it is packed and placed like any other;
 * undefined where one of them is computed.
 */
export function blockWeight(
  cx: LoweringContext,
  codes: Value,
  scales: Value,
  zero: Value | undefined,
  { rows, blocks, block, bits }: Blocks,
): Recipe | undefined {
  const dtype = codeDTypes[bits];
  const own = dtype && cx.storedAs(codes, dtype, [rows, blocks * block]);
  const grid = cx.storedAs(scales, scales.type.dtype, [rows, blocks]);
  const perByte = 8 / bits;
  const padded = Math.ceil(blocks / perByte) * perByte;
  const none = !zero
    ? literal([1, 1], [2 ** (bits - 1)])
    : zero.type.dtype === "u8"
      ? dtype && cx.storedAs(zero, dtype, [rows, padded])
      : cx.storedAs(zero, zero.type.dtype, [rows, blocks]);
  return own && grid && none && dequantize(own, grid, [1, block], none);
}

/** A product with a matrix of low-bit codes in blocks along K: [N, blocks, bytes]. */
function matMulNBits(cx: LoweringContext): Value {
  const [k, n] = [intOf(cx, "K", 0), intOf(cx, "N", 0)];
  const [bits, block] = [intOf(cx, "bits", 4), intOf(cx, "block_size", 32)];
  if (8 % bits !== 0) return unsupported(`its codes are of ${bits} bits`);
  if (cx.optional(4)) return unsupported("its columns are in another order (g_idx)");
  const blocks = Math.ceil(k / block);
  const stored = blockWeight(cx, cx.input(1), cx.input(2), cx.optional(3), { rows: n, blocks, block, bits });
  if (stored) {
    const recipe = blocks * block === k ? stored : sliceRecipe(stored, 1, 0, k);
    return times(cx, cx.op("weight", [], { recipe }));
  }
  const codes = unpackCodes(cx, reshape(cx, cx.input(1), [n, blocks, (block * bits) / 8]), bits);
  const zero = zeroPoints(cx, cx.optional(3), n, blocks, bits);
  const weight = reshape(cx, dequantizeBlocks(cx, codes, cx.input(2), zero), [n, blocks * block]);
  return times(cx, slice(cx, weight, 1, 0, k));
}

/** The input times a matrix [N, K], and the bias. */
function times(cx: LoweringContext, weight: Value): Value {
  const x = cx.input(0);
  const out = cx.op("linear", [to(cx, x, "f32"), weight], {});
  const bias = cx.optional(5);
  return to(cx, bias ? add(cx, out, to(cx, bias, "f32")) : out, x.type.dtype);
}

export const contribQuantized: LoweringTable = {
  MatMulNBits: (cx) => [matMulNBits(cx)],
};
