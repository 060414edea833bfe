/**
 * Values that are made where their only reader would bring them: in their part of a concatenation, behind the rows of a cache, or where they
 * came from. What lies there already nothing copies.
 */
import { definitions, isOp, type Func, type Node, type Value } from "../../src/ir/graph.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import { fixed, reshapeView, runLength, sliceView } from "../../src/plan/views.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import type { DeviceView } from "./context.ts";

/** Operators whose kernels write rows of heads wherever these lie, and those that write rows of one run each. */
const writers: ReadonlyMap<OpName, "heads" | "runs"> = new Map([
  ...(["rmsNorm", "rope", "headLinear"] as const).map((it) => [it, "heads"] as const),
  ...(["linear", "integerLinear", "gather"] as const).map((it) => [it, "runs"] as const),
]);

/** What the lowering knows of places. */
export type Places = {
  /** Where a value lies that was made or placed before. */
  readonly known: (value: Value) => DeviceView | undefined;
  /** What a value's readers want it in. */
  readonly wanted: (value: Value) => DType;
  /** Room of its own for a value, which is bound to it. */
  readonly room: (value: Value) => DeviceView;
  /** The rows of a cache, of so many elements each, that a call adds; undefined for what is no cache. */
  readonly added: (cache: Value, rows: Value) => DeviceView | undefined;
  readonly bind: (value: Value, view: DeviceView) => void;
};

/** Where a value is to be made, if its only reader says so. */
export type Homes = (value: Value) => DeviceView | undefined;

/** Whether two views are one. */
export const isSame = (a: DeviceView, b: DeviceView): boolean =>
  a.region === b.region &&
  a.in === b.in &&
  a.offset === b.offset &&
  a.skip?.times === b.skip?.times &&
  a.skip?.dim === b.skip?.dim &&
  a.dims.every((d, i) => d === b.dims[i] && (d === 1 || a.strides[i] === b.strides[i]));

export function homesOf(func: Func, places: Places): Homes {
  const made = definitions(func);
  const results = new Set(func.results.map((it) => it.value));
  const readers = new Map<Value, { readonly node: Node; readonly index: number }[]>();
  for (const node of func.body)
    node.operands.forEach((value, index) => readers.set(value, [...(readers.get(value) ?? []), { node, index }])); // prettier-ignore
  const readsOf = (value: Value) => (results.has(value) ? [] : (readers.get(value) ?? []));
  const onlyRead = (value: Value) => {
    const [read, another] = readsOf(value);
    return another ? undefined : read;
  };

  /** The slice that a part of a concatenation is, or was before it was turned in its place. */
  const sliceBehind = (part: Value): Node | undefined => {
    const node = made.get(part);
    if (isOp(node, "slice")) return node;
    const from = isOp(node, "rope") ? node.operands[0] : undefined;
    return from && onlyRead(from) ? made.get(from) : undefined;
  };

  /** Whether a value's memory is read through it alone. */
  const isAlone = (value: Value): boolean => {
    const node = made.get(value);
    const from = isOp(node, "reshape") ? node.operands[0] : undefined;
    return from ? onlyRead(from) !== undefined && isAlone(from) : node !== undefined && writers.has(node.op);
  };

  /** The place that the parts of a concatenation were sliced from, where they come together again as they lay. */
  const cameFrom = (node: Node): DeviceView | undefined => {
    const slices = node.operands.map(sliceBehind);
    const [first] = slices;
    const whole = first?.operands[0];
    if (!isOp(node, "concat") || !isOp(first, "slice") || !whole || !isAlone(whole)) return undefined;
    let end = first.attrs.begin;
    for (const it of slices) {
      if (!isOp(it, "slice") || it.operands[0] !== whole) return undefined;
      if (it.attrs.axis !== node.attrs.axis || it.attrs.begin !== end) return undefined;
      end = it.attrs.end;
    }
    const there = places.known(whole);
    const isWanted = node.results.every((it) => places.wanted(it) === there?.dtype);
    if (!there || !isWanted || readsOf(whole).length !== slices.length) return undefined;
    return { ...there, ...sliceView(there, node.attrs.axis, first.attrs.begin, end) };
  };

  /** Where the parts of a concatenation come together. */
  const wholeOf = (node: Node): DeviceView | undefined => {
    const [value] = node.results;
    if (!value) return undefined;
    const known = places.known(value);
    if (known) return known;
    const there = home(value) ?? cameFrom(node);
    if (!there) return places.room(value);
    places.bind(value, there);
    return there;
  };

  const home = (value: Value): DeviceView | undefined => {
    const read = onlyRead(value);
    const [result] = read?.node.results ?? [];
    if (!read || !result) return undefined;
    const { node, index } = read;
    if (isOp(node, "reshape")) {
      const there = home(result);
      const view = there && reshapeView(there, value.type.dims);
      return view && { ...there, ...view };
    }
    if (isOp(node, "cacheAppend")) {
      const [cache] = node.operands;
      return index === 1 && cache ? places.added(cache, value) : undefined;
    }
    if (!isOp(node, "concat")) return undefined;
    const { axis } = node.attrs;
    const sizes = node.operands.map((it) => fixed(it.type.dims[axis], "concat"));
    const begin = sizes.slice(0, index).reduce((n, size) => n + size, 0);
    const whole = wholeOf(node);
    return whole && { ...whole, ...sliceView(whole, axis, begin, begin + (sizes[index] ?? 0)) };
  };

  return (value) => {
    const writes = writers.get(made.get(value)?.op ?? "constant");
    const there = writes && home(value);
    return there && (writes === "heads" || runLength(there) !== undefined) ? there : undefined;
  };
}
