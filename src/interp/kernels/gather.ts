import type { gatherOps } from "../../ir/ops/gather.ts";
import { need, result, shapeAt, type Kernel } from "../kernel.ts";
import { rounderOf } from "../numbers.ts";
import { sizeOfShape, stridesOf, zeros, type Tensor } from "../tensor.ts";

/** An index of an axis of `size`, counted from the front. */
function within(index: number, size: number): number {
  const at = index < 0 ? index + size : index;
  if (at < 0 || at >= size) throw new RangeError(`index ${index} is outside an axis of ${size}`);
  return at;
}

const updates = {
  set: (_old: number, now: number) => now,
  add: (old: number, now: number) => old + now,
  mul: (old: number, now: number) => old * now,
  max: Math.max,
  min: Math.min,
} as const;

/** Where in x the element of each index of `indices` stands along `axis`. */
function* places(x: Tensor, indices: Tensor, axis: number): Generator<readonly [number, number]> {
  const strides = stridesOf(x.shape);
  const own = stridesOf(indices.shape);
  for (let i = 0; i < indices.data.length; i++) {
    let at = within(indices.data[i] ?? 0, x.shape[axis] ?? 1) * (strides[axis] ?? 1);
    for (let a = 0; a < x.shape.length; a++)
      if (a !== axis) at += (Math.floor(i / (own[a] ?? 1)) % (indices.shape[a] ?? 1)) * (strides[a] ?? 1);
    yield [i, at];
  }
}

/** Order of two rows of numbers, the first difference deciding; NaN last. */
function compareRows(x: Tensor, width: number): (a: number, b: number) => number {
  return (a, b) => {
    for (let i = 0; i < width; i++) {
      const [p, q] = [x.data[a * width + i] ?? 0, x.data[b * width + i] ?? 0];
      if (p !== q && !(Number.isNaN(p) && Number.isNaN(q)))
        return Number.isNaN(p) ? 1 : Number.isNaN(q) ? -1 : p - q;
    }
    return 0;
  };
}

/** Distinct rows: for each where it stands first, in order of that; and for each row which of them it is. */
function distinctRows(x: Tensor, width: number): { readonly first: number[]; readonly which: number[] } {
  const rows = x.shape[0] ?? 0;
  const seen = new Map<string, number>();
  const first: number[] = [];
  const which = Array.from({ length: rows }, (_, row) => {
    const key = x.data
      .subarray(row * width, (row + 1) * width)
      .map((v) => v + 0)
      .join();
    const known = seen.get(key);
    if (known !== undefined) return known;
    seen.set(key, first.length);
    return first.push(row) - 1;
  });
  return { first, which };
}

const wholeNumbers = (shape: readonly number[], values: readonly number[]): Tensor => ({
  dtype: "i64",
  shape,
  data: Float64Array.from(values),
});

export const gatherKernels: { readonly [K in keyof typeof gatherOps]: Kernel<K> } = {
  take: (operands, call) => {
    const [x, indices] = [need(operands, 0), need(operands, 1)];
    const { axis } = call.attrs;
    const out = result(call);
    const size = x.shape[axis] ?? 1;
    const inner = sizeOfShape(x.shape.slice(axis + 1));
    const outer = sizeOfShape(x.shape.slice(0, axis));
    let at = 0;
    for (let o = 0; o < outer; o++)
      for (const index of indices.data) {
        const from = (o * size + within(index, size)) * inner;
        out.data.set(x.data.subarray(from, from + inner), at);
        at += inner;
      }
    return [out];
  },
  takeAlong: (operands, call) => {
    const [x, indices] = [need(operands, 0), need(operands, 1)];
    const out = result(call);
    for (const [i, at] of places(x, indices, call.attrs.axis)) out.data[i] = x.data[at] ?? 0;
    return [out];
  },
  scatterAlong: (operands, call) => {
    const [x, indices, values] = [need(operands, 0), need(operands, 1), need(operands, 2)];
    const { axis, how } = call.attrs;
    const out: Tensor = { ...x, data: x.data.slice() };
    const round = rounderOf(x.dtype);
    for (const [i, at] of places(x, indices, axis))
      out.data[at] = round(updates[how](out.data[at] ?? 0, values.data[i] ?? 0));
    return [out];
  },
  scatterRows: (operands, call) => {
    const [x, indices, values] = [need(operands, 0), need(operands, 1), need(operands, 2)];
    const out: Tensor = { ...x, data: x.data.slice() };
    const round = rounderOf(x.dtype);
    const width = sizeOfShape(x.shape.slice(1));
    indices.data.forEach((index, row) => {
      const to = within(index, x.shape[0] ?? 0) * width;
      for (let i = 0; i < width; i++)
        out.data[to + i] = round(
          updates[call.attrs.how](out.data[to + i] ?? 0, values.data[row * width + i] ?? 0),
        );
    });
    return [out];
  },
  nonZero: (operands) => {
    const x = need(operands, 0);
    const strides = stridesOf(x.shape);
    const found = Array.from(x.data.keys()).filter((i) => x.data[i] !== 0);
    const rows = x.shape.map((size, axis) => found.map((i) => Math.floor(i / (strides[axis] ?? 1)) % size));
    return [wholeNumbers([x.shape.length, found.length], rows.flat())];
  },
  unique: (operands, { attrs: { order } }) => {
    const x = need(operands, 0);
    const [rows = 0, width = 1] = x.shape;
    const { first, which } = distinctRows(x, width);
    const kept = first.map((_, i) => i);
    const compare = compareRows(x, width);
    if (order === "sorted") kept.sort((a, b) => compare(first[a] ?? 0, first[b] ?? 0));
    const rank = new Array<number>(kept.length).fill(0);
    kept.forEach((which_, i) => (rank[which_] = i));
    const inverse = which.map((w) => rank[w] ?? 0);
    const counts = kept.map(() => 0);
    for (const i of inverse) counts[i] = (counts[i] ?? 0) + 1;
    const out = zeros(x.dtype, [kept.length, width]);
    const from = kept.map((k) => first[k] ?? 0);
    from.forEach((row, i) => out.data.set(x.data.subarray(row * width, (row + 1) * width), i * width));
    const n = [kept.length];
    return [out, wholeNumbers(n, from), wholeNumbers([rows], inverse), wholeNumbers(n, counts)];
  },
};

/** Running sums and products. */
export const cumulate: Kernel<"cumulate"> = (operands, call) => {
  const x = need(operands, 0);
  const { axis, how, exclusive, reverse } = call.attrs;
  const out = result(call);
  const round = rounderOf(out.dtype);
  const shape = shapeAt(call);
  const n = shape[axis] ?? 1;
  const inner = sizeOfShape(shape.slice(axis + 1));
  for (let line = 0; line < x.data.length / Math.max(n, 1); line++) {
    const begin = Math.floor(line / inner) * n * inner + (line % inner);
    let total = how === "sum" ? 0 : 1;
    for (let step = 0; step < n; step++) {
      const at = begin + (reverse ? n - 1 - step : step) * inner;
      const next = round(how === "sum" ? total + (x.data[at] ?? 0) : total * (x.data[at] ?? 0));
      out.data[at] = exclusive ? total : next;
      total = next;
    }
  }
  return [out];
};
