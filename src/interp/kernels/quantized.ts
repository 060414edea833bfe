import type { quantizedOps } from "../../ir/ops/quantized.ts";
import { rotateBlocks } from "../../tensor/hadamard.ts";
import { need, shapeAt, type Kernel } from "../kernel.ts";
import { silu } from "./moe.ts";
import { roundHalfEven } from "../numbers.ts";
import { floats, type Tensor } from "../tensor.ts";

type Row = { readonly codes: Int8Array; readonly scale: number };

const f32 = Math.fround;

/** A row of float32 as int8 codes and one scale: max |x| / 127, or 1 for zeros. */
export function roundRow(x: ArrayLike<number>, from: number, width: number): Row {
  let most = 0;
  for (let i = 0; i < width; i++) most = Math.max(most, Math.abs(x[from + i] ?? 0));
  const scale = f32(most / 127) || 1;
  const codes = Int8Array.from({ length: width }, (_, i) =>
    Math.max(-127, Math.min(127, roundHalfEven(f32((x[from + i] ?? 0) / scale)))),
  );
  return { codes, scale };
}

/** A matrix of codes in a stack of them, with its scales: the first row of each. */
type Matrix = {
  readonly codes: Tensor;
  readonly scales: Tensor;
  readonly group: number;
  readonly row: number;
};

/** Row `j` of a matrix times a row of codes: exact within a group, float32 between them. */
function product(x: Row, { codes, scales, group, row }: Matrix, j: number): number {
  const width = x.codes.length;
  const groups = Math.ceil(width / group);
  let total = 0;
  for (let g = 0; g < groups; g++) {
    let sum = 0;
    for (let i = g * group; i < Math.min(width, (g + 1) * group); i++)
      sum += (x.codes[i] ?? 0) * (codes.data[(row + j) * width + i] ?? 0);
    total = f32(total + f32(f32(sum) * (scales.data[(row + j) * groups + g] ?? 0)));
  }
  return f32(total * x.scale);
}

export const quantizedKernels: { readonly [K in keyof typeof quantizedOps]: Kernel<K> } = {
  quantizeRows: (operands) => {
    const x = need(operands, 0);
    const width = x.shape.at(-1) ?? 1;
    const scales = floats(x.shape.slice(0, -1));
    const codes = new Int32Array(x.data.length);
    scales.data.forEach((_, row) => {
      const rounded = roundRow(x.data, row * width, width);
      codes.set(rounded.codes, row * width);
      scales.data[row] = rounded.scale;
    });
    return [{ dtype: "i8", shape: x.shape, data: codes }, scales];
  },
  dequantizeRows: (operands) => {
    const [codes, scales] = [need(operands, 0), need(operands, 1)];
    const width = codes.shape.at(-1) ?? 1;
    return [
      floats(
        codes.shape,
        Float32Array.from(codes.data, (code, i) => code * (scales.data[Math.floor(i / width)] ?? 0)),
      ),
    ];
  },
  hadamard: (operands, call) => {
    const x = need(operands, 0);
    const data = Float32Array.from(x.data);
    rotateBlocks(data, call.attrs.block);
    return [floats(x.shape, data)];
  },
  integerLinear: (operands, call) => {
    const [x, codes, scales, bias] = [need(operands, 0), need(operands, 1), need(operands, 2), operands[3]];
    const [n = 1, k = 1] = codes.shape;
    const w = { codes, scales, group: call.attrs.group, row: 0 };
    const out = floats(shapeAt(call));
    for (let row = 0; row < out.data.length / n; row++) {
      const rounded = roundRow(x.data, row * k, k);
      for (let j = 0; j < n; j++) {
        const y = product(rounded, w, j);
        out.data[row * n + j] = bias ? y + (bias.data[j] ?? 0) : y;
      }
    }
    return [out];
  },
  integerExperts: (operands, call) => {
    const [x, indices, weights] = [need(operands, 0), need(operands, 1), need(operands, 2)];
    const [gateUp, down] = [need(operands, 3), need(operands, 5)];
    const [, width = 1, inner = 1] = down.shape;
    const k = indices.shape[1] ?? 1;
    const out = floats(x.shape);
    for (let slot = 0; slot < indices.data.length; slot++) {
      const e = indices.data[slot] ?? 0;
      if (e < 0) continue;
      const row = Math.floor(slot / k);
      const up = {
        codes: gateUp,
        scales: need(operands, 4),
        group: call.attrs.gateUpGroup,
        row: e * 2 * inner,
      };
      const to = { codes: down, scales: need(operands, 6), group: call.attrs.downGroup, row: e * width };
      const rounded = roundRow(x.data, row * width, width);
      const hidden = Float32Array.from(
        { length: inner },
        (_, i) => silu(product(rounded, up, i)) * product(rounded, up, inner + i),
      );
      rotateBlocks(hidden, call.attrs.downRotation);
      const share = roundRow(hidden, 0, inner);
      for (let j = 0; j < width; j++)
        out.data[row * width + j] =
          (out.data[row * width + j] ?? 0) + (weights.data[slot] ?? 0) * product(share, to, j);
    }
    return [out];
  },
};
