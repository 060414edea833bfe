import { productOf, type Dim } from "../../../../ir/dim.ts";
import type { Value } from "../../../../ir/graph.ts";
import {
  add,
  axisOf,
  broadcast,
  compare,
  dimOf,
  extent,
  fixedDim,
  intOf,
  iota,
  mod,
  mul,
  needDims,
  rankOf,
  reshape,
  select,
  slice,
  textOf,
  to,
  transpose,
  unsupported,
  type Lowering,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";

const asIndex = (cx: LoweringContext, x: Value): Value => (x.type.dtype === "i32" ? x : to(cx, x, "i64"));

/** The axis moved to another place. */
const moved = (rank: number, from: number, to: number): readonly number[] => {
  const axes = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== from);
  return axes.toSpliced(to, 0, from);
};

/** Names of the updates of ONNX's scatters. */
const how = { none: "set", add: "add", mul: "mul", max: "max", min: "min" } as const;
const updateOf = (cx: LoweringContext): (typeof how)[keyof typeof how] => {
  const found = Object.entries(how).find(([name]) => name === textOf(cx, "reduction", "none"));
  return found ? found[1] : unsupported(`its reduction is ${textOf(cx, "reduction", "")}`);
};

/** Tuples of indices as one index of the axes they name, flattened: `tuples` is [..., n], the result [...]. */
function linearIndex(cx: LoweringContext, tuples: Value, dims: readonly Dim[]): Value {
  const last = rankOf(tuples) - 1;
  const lead = tuples.type.dims.slice(0, -1);
  let index: Value | undefined;
  dims.forEach((size, i) => {
    const part = reshape(cx, slice(cx, tuples, last, i, i + 1), lead);
    const front = select(cx, compare(cx, part, "less", 0), add(cx, part, extent(cx, [size])), part);
    index = index ? add(cx, mul(cx, index, extent(cx, [size])), front) : front;
  });
  return index ?? broadcast(cx, extent(cx, [0]), lead);
}

function gatherND(cx: LoweringContext): Value {
  const [x, tuples] = [cx.input(0), to(cx, cx.input(1), "i64")];
  const batch = intOf(cx, "batch_dims", 0);
  const width = fixedDim(dimOf(tuples, -1), "the last axis of the indices");
  const { dims } = x.type;
  const [lead, named, rest] = [
    dims.slice(0, batch),
    dims.slice(batch, batch + width),
    dims.slice(batch + width),
  ];
  const flat = reshape(cx, x, [productOf([...lead, ...named]), ...rest]);
  const within = linearIndex(cx, tuples, named);
  if (batch === 0) return cx.op("take", [flat, within], { axis: 0 });
  const { dims: at } = within.type;
  const first = at.map((d, i) => (i < batch ? d : 1));
  const base = lead.reduce<Value>(
    (sum, size, axis) => add(cx, mul(cx, sum, extent(cx, [size])), to(cx, iota(cx, first, axis), "i64")),
    broadcast(cx, extent(cx, [0]), first),
  );
  return cx.op("take", [flat, add(cx, mul(cx, base, extent(cx, [productOf(named)])), within)], { axis: 0 });
}

function scatterND(cx: LoweringContext): Value {
  const [x, tuples, updates] = [cx.input(0), to(cx, cx.input(1), "i64"), cx.input(2)];
  const width = fixedDim(dimOf(tuples, -1), "the last axis of the indices");
  const { dims } = x.type;
  const count = productOf(tuples.type.dims.slice(0, -1));
  const rest = dims.slice(width);
  const rows = reshape(cx, x, [productOf(dims.slice(0, width)), ...rest]);
  const index = reshape(cx, linearIndex(cx, tuples, dims.slice(0, width)), [count]);
  const changed = cx.op("scatterRows", [rows, index, reshape(cx, updates, [count, ...rest])], {
    how: updateOf(cx),
  });
  return reshape(cx, changed, dims);
}

const scatterElements: Lowering = (cx) => {
  const [x, indices, updates] = [cx.input(0), asIndex(cx, cx.input(1)), cx.input(2)];
  return [
    cx.op("scatterAlong", [x, indices, updates], {
      axis: axisOf(intOf(cx, "axis", 0), rankOf(x)),
      how: updateOf(cx),
    }),
  ];
};

/** Where a vector is not zero. */
const places = (cx: LoweringContext, x: Value): Value => {
  const [coordinates] = cx.multi("nonZero", [x], { count: cx.freshDim() });
  if (!coordinates) throw new Error("nonZero has a result");
  return reshape(cx, coordinates, [dimOf(coordinates, 1)]);
};

function compress(cx: LoweringContext): Value {
  const given = cx.node.attributes.get("axis");
  const x = given ? cx.input(0) : reshape(cx, cx.input(0), [productOf(cx.input(0).type.dims)]);
  const axis = axisOf(intOf(cx, "axis", 0), rankOf(x));
  return cx.op("take", [x, places(cx, cx.input(1))], { axis });
}

/** Different slices along an axis, or different elements. */
function unique(cx: LoweringContext): readonly Value[] {
  const x = cx.input(0);
  const order = intOf(cx, "sorted", 1) === 1 ? "sorted" : "seen";
  const count = cx.freshDim();
  const along = cx.node.attributes.has("axis");
  const axis = along ? axisOf(intOf(cx, "axis", 0), rankOf(x)) : 0;
  const front = along
    ? transpose(cx, x, moved(rankOf(x), axis, 0))
    : reshape(cx, x, [productOf(x.type.dims)]);
  const [first = 1, ...rest] = front.type.dims;
  const [rows, ...others] = cx.multi("unique", [reshape(cx, front, [first, productOf(rest)])], {
    order,
    count,
  });
  if (!rows) throw new Error("unique has results");
  const shaped = reshape(cx, rows, [dimOf(rows, 0), ...rest]);
  return [along ? transpose(cx, shaped, moved(rankOf(x), 0, axis)) : shaped, ...others];
}

/** Rows of new tokens put into a cache, each sequence from a place of its own. */
function tensorScatter(cx: LoweringContext): Value {
  const [cache, update] = [cx.input(0), cx.input(1)];
  const axis = axisOf(intOf(cx, "axis", -2), rankOf(cache));
  const { dims } = update.type;
  const zero = broadcast(cx, extent(cx, [0]), [dimOf(cache, 0)]);
  const starts = cx.optional(2) ? to(cx, cx.input(2), "i64") : zero;
  const begin = reshape(
    cx,
    starts,
    dims.map((d, i) => (i === 0 ? d : 1)),
  );
  const steps = to(
    cx,
    iota(
      cx,
      dims.map((d, i) => (i === axis ? d : 1)),
      axis,
    ),
    "i64",
  );
  const at = add(cx, begin, steps);
  const circular = textOf(cx, "mode", "linear") === "circular";
  const place = circular ? mod(cx, at, extent(cx, [dimOf(cache, axis)])) : at;
  return cx.op("scatterAlong", [cache, broadcast(cx, place, dims), update], { axis, how: "set" });
}

/** The k best of an axis: the largest, or by the order turned around the smallest. */
function topK(cx: LoweringContext): readonly Value[] {
  const x = cx.input(0);
  const [k = 1] = cx.node.attributes.has("k") ? [intOf(cx, "k", 1)] : needDims(cx, 1, "k");
  const axis = axisOf(intOf(cx, "axis", -1), rankOf(x));
  const perm = moved(rankOf(x), axis, rankOf(x) - 1);
  const back = moved(rankOf(x), rankOf(x) - 1, axis);
  const smallest = intOf(cx, "largest", 1) === 0;
  const turn = (v: Value): Value =>
    !smallest ? v : /^[iu]/.test(x.type.dtype) ? cx.op("bitNot", [v], {}) : cx.op("neg", [v], {});
  const [values, indices] = cx.multi("topK", [turn(transpose(cx, x, perm))], { k });
  if (!values || !indices) throw new Error("topK has two results");
  return [transpose(cx, turn(values), back), transpose(cx, to(cx, indices, "i64"), back)];
}

export const indexing: LoweringTable = {
  Gather: (cx) => [
    cx.op("take", [cx.input(0), asIndex(cx, cx.input(1))], {
      axis: axisOf(intOf(cx, "axis", 0), rankOf(cx.input(0))),
    }),
  ],
  GatherElements: (cx) => [
    cx.op("takeAlong", [cx.input(0), asIndex(cx, cx.input(1))], {
      axis: axisOf(intOf(cx, "axis", 0), rankOf(cx.input(0))),
    }),
  ],
  GatherND: (cx) => [gatherND(cx)],
  ScatterElements: scatterElements,
  Scatter: scatterElements,
  ScatterND: (cx) => [scatterND(cx)],
  TensorScatter: (cx) => [tensorScatter(cx)],
  NonZero: (cx) => cx.multi("nonZero", [cx.input(0)], { count: cx.freshDim() }),
  Compress: (cx) => [compress(cx)],
  Unique: unique,
  TopK: topK,
};
