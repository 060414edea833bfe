import { multiplyDims, subtractDims, type Dim } from "../../src/ir/dim.ts";
import type { Value } from "../../src/ir/graph.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import { boxOf, numbers, withRange, withoutAxis, whole, type Box, type Range } from "./box.ts";
import type { Cut, PieceRule } from "./cut.ts";
import { cutHalves, cutRecipe } from "./recipes.ts";

/** The sizes of a value of which only a part is there. */
const dimsIn = (dims: readonly Dim[], box: Box): readonly Dim[] =>
  dims.map((d, axis) => {
    const range = box.get(axis);
    return range ? subtractDims(range.end, range.begin) : d;
  });

const rankOf = (value: Value | undefined): number => value?.type.dims.length ?? 0;

/** The part of each operand where a value is and nowhere else: for operators that take element by element. */
const elementwise: PieceRule<"add" | "mul" | "silu" | "swiglu"> = (cut, node, box) => {
  const [out] = node.results;
  const alike = node.operands.every((v) => String(v.type.dims) === String(out?.type.dims));
  if (!alike) return undefined;
  return cut.emit(
    node.op,
    node.operands.map((v) => cut.piece(v, box)),
    node.attrs,
    node.origin,
  );
};

/** Rows of x times rows of w: the part's columns are rows of the weights, its rows those of x. */
const product: PieceRule<"linear" | "integerLinear"> = (cut, node, box) => {
  const [x, ...weights] = node.operands;
  const last = rankOf(node.results[0]) - 1;
  const columns = box.get(last);
  const rows = withoutAxis(box, last);
  const ofRows = columns ? boxOf(0, columns) : whole;
  const operands = [cut.piece(x, rows), ...weights.map((w) => cut.piece(w, ofRows))];
  return cut.emit(node.op, operands, node.attrs, node.origin);
};

/** A part of whole rows, for operators whose last axis cannot be cut. */
const ofWholeRows: PieceRule<"router" | "hadamard"> = (cut, node, box) => {
  const [x, ...rest] = node.operands;
  if (!x || box.has(rankOf(x) - 1)) return undefined;
  return cut.emitAll(
    node.op,
    [cut.piece(x, box), ...rest.map((v) => cut.piece(v, whole))],
    node.attrs,
    node.origin,
  );
};

/** A norm over each head. One over hidden states is there whole: its rows are cut out of it. */
const rmsNorm: PieceRule<"rmsNorm"> = (cut, node, box) => {
  const [x, gain] = node.operands;
  if (box.size !== 1 || !box.has(1) || rankOf(x) !== 3) return undefined;
  return cut.emit("rmsNorm", [cut.piece(x, box), cut.piece(gain, whole)], node.attrs, node.origin);
};

/** Rows that are rounded each by itself, and what they are restored from. */
const ofHeads: PieceRule<"quantizeRows" | "dequantizeRows"> = (cut, node, box) => {
  const isHeads = box.size === 1 && box.has(1) && rankOf(node.operands[0]) === 3;
  if (!isHeads) return undefined;
  const operands = node.operands.map((v) => cut.piece(v, box));
  return cut.emitAll(node.op, operands, node.attrs, node.origin);
};

/** Whole elements of an axis that became `size` times as many. */
const divided = ({ begin, end }: Range, size: number): Range | undefined =>
  typeof begin === "number" && typeof end === "number" && begin % size === 0 && end % size === 0
    ? { begin: begin / size, end: end / size }
    : undefined;

/** Heads [S, heads, dim] and the same side by side [S, heads * dim]. */
const reshape: PieceRule<"reshape"> = (cut, node, box) => {
  const [x] = node.operands;
  const [out] = node.results;
  const [from, to] = [x?.type.dims ?? [], out?.type.dims ?? []];
  const range = box.get(1);
  if (!out || !range || box.size !== 1 || from[0] !== to[0]) return undefined;
  const dims = dimsIn(to, box);
  if (from.length === 3 && to.length === 2) {
    const heads = divided(range, Number(from[2]));
    return heads && cut.emit("reshape", [cut.piece(x, boxOf(1, heads))], { dims }, node.origin);
  }
  if (from.length !== 2 || to.length !== 3) return undefined;
  const [begin, end] = [range.begin, range.end].map((d) => multiplyDims(d, to[2] ?? 1));
  const columns = boxOf(1, { begin: begin ?? 0, end: end ?? 0 });
  return cut.emit("reshape", [cut.piece(x, columns)], { dims }, node.origin);
};

/** What is cut out of x along one axis may be cut along the others first. */
const slice: PieceRule<"slice"> = (cut, node, box) => {
  const [x] = node.operands;
  const { axis, begin, end } = node.attrs;
  const inner = box.get(axis);
  if (typeof begin !== "number") return undefined;
  if (inner) {
    const [from, to] = numbers(inner);
    return cut.piece(x, withRange(box, axis, { begin: begin + from, end: begin + to }));
  }
  return cut.emit("slice", [cut.piece(x, box)], { axis, begin, end }, node.origin);
};

const concat: PieceRule<"concat"> = (cut, node, box) => {
  const { axis } = node.attrs;
  if (box.has(axis)) return undefined;
  const parts = node.operands.map((v) => cut.piece(v, box));
  return cut.emit("concat", parts, { axis }, node.origin);
};

const broadcast: PieceRule<"broadcast"> = (cut, node, box) => {
  const [x] = node.operands;
  const [out] = node.results;
  if (!x || !out || rankOf(x) !== rankOf(out)) return undefined;
  const kept = new Map([...box].filter(([axis]) => x.type.dims[axis] !== 1));
  return cut.emit("broadcast", [cut.piece(x, kept)], { dims: dimsIn(out.type.dims, box) }, node.origin);
};

const rope: PieceRule<"rope"> = (cut, node, box) => {
  const [x, positions, frequencies] = node.operands;
  if (box.size !== 1 || !box.has(1)) return undefined;
  const operands = [cut.piece(x, box), cut.piece(positions, whole), cut.piece(frequencies, whole)];
  return cut.emit("rope", operands, node.attrs, node.origin);
};

/** Heads of queries with the keys and values of the groups they look at. */
const attention: PieceRule<"attention"> = (cut, node, box) => {
  const [q, k, v, ...mask] = node.operands;
  const range = box.get(1);
  const [, heads = 1] = (q?.type.dims ?? []).map(Number);
  const [, groups = 1] = (k?.type.dims ?? []).map(Number);
  if (!range || box.size !== 1) return undefined;
  const [from, to] = numbers(range);
  const each = heads / groups;
  const seen = { begin: Math.floor(from / each), end: Math.ceil(to / each) };
  const isUniform = seen.end - seen.begin === 1 || (from === seen.begin * each && to === seen.end * each);
  if (!isUniform) return undefined;
  const ofGroups = groups === 1 ? whole : boxOf(1, seen);
  const operands = [cut.piece(q, box), cut.piece(k, ofGroups), cut.piece(v, ofGroups)];
  return cut.emit(
    "attention",
    [...operands, ...mask.map((m) => cut.piece(m, whole))],
    node.attrs,
    node.origin,
  );
};

const latentAttention: PieceRule<"latentAttention"> = (cut, node, box) => {
  const [nope, rotary, cache, w, ...mask] = node.operands;
  const heads = box.get(1);
  if (!heads || box.size !== 1) return undefined;
  const operands = [
    cut.piece(nope, box),
    cut.piece(rotary, box),
    cut.piece(cache, whole),
    cut.piece(w, boxOf(0, heads)),
    ...mask.map((m) => cut.piece(m, whole)),
  ];
  return cut.emit("latentAttention", operands, node.attrs, node.origin);
};

const headLinear: PieceRule<"headLinear"> = (cut, node, box) => {
  const [x, w] = node.operands;
  const heads = box.get(1);
  if (!heads || box.size !== 1) return undefined;
  return cut.emit("headLinear", [cut.piece(x, box), cut.piece(w, boxOf(0, heads))], node.attrs, node.origin);
};

/** Gate and up lie side by side: a part of the result needs the same part of both. */
const swigluPacked: PieceRule<"swigluPacked"> = (cut, node, box) => {
  const [x] = node.operands;
  const columns = box.get(1);
  if (!x || rankOf(x) !== 2) return undefined;
  const rows = withoutAxis(box, 1);
  return cut.emit(
    "swigluPacked",
    [columns ? bothHalves(cut, x, rows, columns) : cut.piece(x, rows)],
    {},
    node.origin,
  );
};

/** The same columns of the gate and of the up that a product holds side by side. */
function bothHalves(cut: Cut, x: Value, rows: Box, columns: Range): Value {
  const maker = cut.maker(x);
  const [begin, end] = numbers(columns);
  if (maker?.op === "linear" || maker?.op === "integerLinear") {
    const [input, ...weights] = maker.operands;
    const halves = weights.map((w) => halvesOfWeight(cut, w, begin, end));
    if (halves.every((it) => it !== undefined))
      return cut.emit(maker.op, [cut.piece(input, rows), ...halves], maker.attrs as never, maker.origin); // of the same operator
  }
  const half = Number(x.type.dims[1]) / 2;
  const part = (from: number) => cut.piece(x, withRange(rows, 1, { begin: from + begin, end: from + end }));
  return cut.emit("concat", [part(0), part(half)], { axis: 1 }, maker?.origin ?? []);
}

function halvesOfWeight(cut: Cut, w: Value, begin: number, end: number): Value | undefined {
  const maker = cut.maker(w);
  if (maker?.op !== "weight") return undefined;
  const { recipe } = maker.attrs as { readonly recipe: Parameters<typeof cutHalves>[0] }; // a weight has one
  return cut.emit("weight", [], { recipe: cutHalves(recipe, 0, begin, end) }, maker.origin);
}

const weight: PieceRule<"weight"> = (cut, node, box) => {
  let { recipe } = node.attrs;
  for (const [axis, range] of box) recipe = cutRecipe(recipe, axis, ...numbers(range));
  return cut.emit("weight", [], { recipe }, node.origin);
};

/** Columns of a table. Its rows are there whole. */
const gather: PieceRule<"gather"> = (cut, node, box) => {
  const [table, ids] = node.operands;
  if (box.has(0)) return undefined;
  return cut.emit("gather", [cut.piece(table, box), cut.piece(ids, whole)], {}, node.origin);
};

/** How parts of results are made. Operators that are not here are computed whole. */
export const pieceRules: { readonly [K in OpName]?: PieceRule<K> } = {
  add: elementwise,
  mul: elementwise,
  silu: elementwise,
  swiglu: elementwise,
  linear: product,
  integerLinear: product,
  router: ofWholeRows,
  hadamard: ofWholeRows,
  rmsNorm,
  quantizeRows: ofHeads,
  dequantizeRows: ofHeads,
  reshape,
  slice,
  concat,
  broadcast,
  rope,
  attention,
  latentAttention,
  headLinear,
  swigluPacked,
  weight,
  gather,
};
