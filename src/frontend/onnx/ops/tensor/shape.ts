import {
  addDims,
  atLeast,
  compareDims,
  divideDims,
  floorDivideDims,
  maxDims,
  minDims,
  productOf,
  subtractDims,
  type Dim,
} from "../../../../ir/dim.ts";
import { fail } from "../../../../support/diagnostics.ts";
import type { Value } from "../../../../ir/graph.ts";
import { broadcastDims } from "../../../../ir/types.ts";
import {
  add,
  axisOf,
  broadcast,
  dimOf,
  extent,
  fixedDim,
  inputs,
  intOf,
  intsOf,
  iota,
  mul,
  needDims,
  needKnown,
  rankOf,
  reshape,
  slice,
  to,
  transpose,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";

/** The dims that Reshape's second input asks for: 0 keeps a dim, -1 takes what is left. */
function askedDims(node: string, x: Value, asked: readonly Dim[], zeroIsZero: boolean): readonly Dim[] {
  const kept = asked.map((d, i): Dim => (d === 0 && !zeroIsZero ? (x.type.dims[i] ?? 0) : d));
  if (!kept.includes(-1)) return kept;
  const known = productOf(kept.filter((d) => d !== -1));
  const count = productOf(x.type.dims);
  const rest = known === 0 ? 0 : divideDims(count, known);
  if (rest === undefined && typeof count === "number" && typeof known === "number")
    return fail(
      "onnx/shape-mismatch",
      undefined,
      node,
      `${count} elements do not divide into [${asked.join(",")}]`,
    );
  return kept.map((d) =>
    d === -1 ? (rest ?? unsupported(`${count} elements do not divide by ${known}`)) : d,
  );
}

/** Axes given as an attribute up to some opset and as an input since. */
const axesGiven = (cx: LoweringContext, i: number): readonly number[] | undefined =>
  intsOf(cx, "axes") ?? (cx.optional(i) ? needKnown(cx, i, "list of axes") : undefined);

/** An attribute up to some opset, an input since. */
const dimsGiven = (cx: LoweringContext, name: string, i: number, what: string): readonly Dim[] =>
  intsOf(cx, name) ?? needDims(cx, i, what);

/** Every n-th element of an axis from `begin` on. */
function stepped(cx: LoweringContext, x: Value, axis: number, begin: Dim, count: Dim, step: number): Value {
  const at = add(cx, mul(cx, to(cx, iota(cx, [count]), "i64"), step), extent(cx, [begin]));
  return cx.op("take", [x, at], { axis });
}

function slices(cx: LoweringContext): Value {
  const x = cx.input(0);
  const starts = dimsGiven(cx, "starts", 1, "list of starts");
  const ends = dimsGiven(cx, "ends", 2, "list of ends");
  const axes = axesGiven(cx, 3) ?? starts.map((_, i) => i);
  const steps = cx.optional(4) ? needKnown(cx, 4, "list of steps") : starts.map(() => 1);
  return axes.reduce((value, given, i) => {
    const axis = axisOf(given, rankOf(x));
    const size = dimOf(x, axis);
    const step = steps[i] ?? 1;
    const fromFront = (at: Dim): Dim =>
      (compareDims(at, 0, cx.positive) ?? 1) < 0 && (compareDims(at, -(2 ** 31)) ?? 1) > 0
        ? addDims(at, size)
        : at;
    const within = (at: Dim, low: Dim, high: Dim): Dim =>
      maxDims(low, minDims(high, fromFront(at), cx.positive), cx.positive);
    if (step > 0) {
      const begin = within(starts[i] ?? 0, 0, size);
      const end = maxDims(begin, within(ends[i] ?? size, 0, size), cx.positive);
      if (step === 1) return slice(cx, value, axis, begin, end);
      const count = floorDivideDims(addDims(subtractDims(end, begin), step - 1), step);
      return stepped(cx, value, axis, begin, count, step);
    }
    const last = subtractDims(size, 1);
    const begin = within(starts[i] ?? last, -1, last);
    const far = compareDims(ends[i] ?? 0, -(2 ** 31)) ?? 1;
    const end = far <= 0 ? -1 : within(ends[i] ?? 0, -1, last);
    const count = maxDims(
      0,
      floorDivideDims(addDims(subtractDims(begin, end), -step - 1), -step),
      cx.positive,
    );
    return stepped(cx, value, axis, begin, count, step);
  }, x);
}

function splits(cx: LoweringContext): readonly Value[] {
  const x = cx.input(0);
  const axis = axisOf(intOf(cx, "axis", 0), rankOf(x));
  const size = dimOf(x, axis);
  const parts = cx.node.outputs.length;
  const even = (): readonly Dim[] => {
    const total = fixedDim(size, "the axis");
    const each = Math.ceil(total / parts);
    return Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(each, total - i * each)));
  };
  const sizes = intsOf(cx, "split") ?? (cx.optional(1) ? needDims(cx, 1, "list of sizes") : even());
  let begin: Dim = 0;
  return sizes.map((n) => {
    const from = begin;
    begin = addDims(begin, n);
    return slice(cx, x, axis, from, begin);
  });
}

/** Indices of an axis extended by `before` and `after`: mirrored, clamped or wrapped at its ends. */
function paddedIndices(size: number, before: number, after: number, mode: string): readonly number[] {
  const at = (i: number): number => {
    if (mode === "edge") return Math.max(0, Math.min(size - 1, i));
    if (mode === "wrap") return ((i % size) + size) % size;
    const period = Math.max(1, 2 * (size - 1));
    const place = ((i % period) + period) % period;
    return Math.min(place, period - place);
  };
  return Array.from({ length: before + size + after }, (_, i) => at(i - before));
}

function pad(cx: LoweringContext): Value {
  const x = cx.input(0);
  const given = cx.node.attributes.get("mode");
  const mode = given?.kind === "text" ? given.value : "constant";
  const amounts = dimsGiven(cx, "pads", 1, "padding");
  const axes = (cx.optional(3) ? needKnown(cx, 3, "list of axes") : x.type.dims.map((_, i) => i)).map((a) =>
    axisOf(a, rankOf(x)),
  );
  const attribute = cx.node.attributes.get("value");
  const fill =
    cx.optional(2) ??
    cx.op("constant", [], {
      dtype: x.type.dtype,
      dims: [],
      values: [attribute?.kind === "float" ? attribute.value : 0],
    });
  return axes.reduce((value, axis, i) => {
    const [before = 0, after = 0] = [amounts[i], amounts[i + axes.length]];
    if (before === 0 && after === 0) return value;
    const size = dimOf(value, axis);
    const cut = (amount: Dim): Dim => maxDims(0, subtractDims(0, amount), cx.positive);
    const kept = slice(cx, value, axis, cut(before), subtractDims(size, cut(after)));
    if (mode !== "constant") {
      const [left, right] = [before, after].map((d) => Math.max(0, fixedDim(d, "the padding")));
      const indices = paddedIndices(fixedDim(dimOf(kept, axis), "the axis"), left ?? 0, right ?? 0, mode);
      return cx.op("take", [kept, extent(cx, indices, [indices.length])], { axis });
    }
    const block = (amount: Dim): readonly Value[] =>
      atLeast(0, amount, cx.positive)
        ? []
        : [
            broadcast(
              cx,
              reshape(
                cx,
                fill,
                kept.type.dims.map(() => 1),
              ),
              kept.type.dims.with(axis, amount),
            ),
          ];
    const parts = [...block(before), kept, ...block(after)];
    return parts.length === 1 ? kept : cx.op("concat", parts, { axis });
  }, x);
}

/** x repeated along each axis: every axis is split into copies and elements, spread, and joined again. */
export function tiled(cx: LoweringContext, x: Value, repeats: readonly Dim[]): Value {
  if (repeats.every((r) => r === 1)) return x;
  const { dims } = x.type;
  const wide = reshape(
    cx,
    x,
    dims.flatMap((d): Dim[] => [1, d]),
  );
  const spread = broadcast(
    cx,
    wide,
    dims.flatMap((d, i): Dim[] => [repeats[i] ?? 1, d]),
  );
  return reshape(
    cx,
    spread,
    dims.map((d, i) => productOf([d, repeats[i] ?? 1])),
  );
}

export const shape: LoweringTable = {
  Reshape: (cx) => {
    const x = cx.input(0);
    const asked = dimsGiven(cx, "shape", 1, "shape");
    return [reshape(cx, x, askedDims(cx.node.name, x, asked, intOf(cx, "allowzero", 0) === 1))];
  },
  Flatten: (cx) => {
    const x = cx.input(0);
    const axis = axisOf(intOf(cx, "axis", 1), rankOf(x));
    return [reshape(cx, x, [productOf(x.type.dims.slice(0, axis)), productOf(x.type.dims.slice(axis))])];
  },
  Squeeze: (cx) => {
    const x = cx.input(0);
    const axes = axesGiven(cx, 1)?.map((a) => axisOf(a, rankOf(x)));
    return [
      reshape(
        cx,
        x,
        x.type.dims.filter((d, i) => (axes ? !axes.includes(i) : d !== 1)),
      ),
    ];
  },
  Unsqueeze: (cx) => {
    const x = cx.input(0);
    const axes = axesGiven(cx, 1) ?? unsupported("it has no axes");
    const rank = rankOf(x) + axes.length;
    const at = new Set(axes.map((a) => axisOf(a, rank)));
    const rest = [...x.type.dims];
    return [
      reshape(
        cx,
        x,
        Array.from({ length: rank }, (_, i): Dim => (at.has(i) ? 1 : (rest.shift() ?? 1))),
      ),
    ];
  },
  Transpose: (cx) => {
    const x = cx.input(0);
    return [transpose(cx, x, intsOf(cx, "perm") ?? x.type.dims.map((_, i) => i).reverse())];
  },
  Concat: (cx) => [cx.op("concat", inputs(cx), { axis: axisOf(intOf(cx, "axis", 1), rankOf(cx.input(0))) })],
  Shape: (cx) => {
    const { dims } = cx.input(0).type;
    const values = dims.slice(intOf(cx, "start", 0), intOf(cx, "end", dims.length));
    return [extent(cx, values, [values.length])];
  },
  Size: (cx) => [extent(cx, [productOf(cx.input(0).type.dims)])],
  Split: splits,
  Slice: (cx) => [slices(cx)],
  Pad: (cx) => [pad(cx)],
  Expand: (cx) => {
    const x = cx.input(0);
    const asked = needDims(cx, 1, "shape");
    return [broadcast(cx, x, broadcastDims(x.type.dims, asked) ?? unsupported("its shapes do not fit"))];
  },
  Tile: (cx) => {
    const x = cx.input(0);
    const repeats = needDims(cx, 1, "list of repeats");
    return [tiled(cx, x, repeats)];
  },
};
