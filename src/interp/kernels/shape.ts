import type { shapeOps } from "../../ir/ops/shape.ts";
import { need, result, shapeAt, type Kernel } from "../kernel.ts";
import { allocate, rounderOf } from "../numbers.ts";
import { broadcastTo, floats, gatherStrided, sizeOfShape, stridesOf, type Tensor } from "../tensor.ts";

/** Put parts one after another along an axis. */
export function concatTensors(parts: readonly Tensor[], axis: number, shape: readonly number[]): Tensor {
  const outer = sizeOfShape(shape.slice(0, axis));
  const size = sizeOfShape(shape);
  const [first] = parts;
  const dtype = first?.dtype ?? "f32";
  const out = allocate(dtype, size);
  const stride = size / outer;
  let at = 0;
  for (const part of parts) {
    const run = part.data.length / outer;
    for (let o = 0; o < outer; o++) out.set(part.data.subarray(o * run, (o + 1) * run), o * stride + at);
    at += run;
  }
  return { dtype, shape, data: out };
}

export const shapeKernels: { readonly [K in keyof typeof shapeOps]: Kernel<K> } = {
  weight: (_, { attrs, weight }) => [weight(attrs.recipe)],
  constant: (_, call) => {
    const out = result(call);
    out.data.set(call.attrs.values.map(rounderOf(out.dtype)));
    return [out];
  },
  extent: (_, call) => {
    const out = result(call);
    out.data.set(call.attrs.values.map(call.bind));
    return [out];
  },
  reshape: (operands, call) => [{ ...need(operands, 0), shape: shapeAt(call) }],
  transpose: (operands, call) => {
    const x = need(operands, 0);
    const strides = stridesOf(x.shape);
    return [
      gatherStrided(
        x,
        shapeAt(call),
        call.attrs.perm.map((axis) => strides[axis] ?? 0),
      ),
    ];
  },
  slice: (operands, call) => {
    const x = need(operands, 0);
    const strides = stridesOf(x.shape);
    const { axis } = call.attrs;
    return [gatherStrided(x, shapeAt(call), strides, call.bind(call.attrs.begin) * (strides[axis] ?? 0))];
  },
  concat: (operands, call) => [concatTensors(operands, call.attrs.axis, shapeAt(call))],
  broadcast: (operands, call) => [broadcastTo(need(operands, 0), shapeAt(call))],
  gather: (operands, call) => {
    const [table, ids] = [need(operands, 0), need(operands, 1)];
    const [, width = 1] = table.shape;
    const out = floats(shapeAt(call));
    ids.data.forEach((id, i) => out.data.set(table.data.subarray(id * width, (id + 1) * width), i * width));
    return [out];
  },
  cacheAppend: (operands, call) => [concatTensors(operands, 0, shapeAt(call))],
};
