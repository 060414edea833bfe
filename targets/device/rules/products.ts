import { isOp, type Node, type NodeOf, type Value } from "../../../src/ir/graph.ts";
import type { Kernel } from "../../../src/machine/schedule/kernel.ts";
import type { Extent } from "../../../src/plan/program/program.ts";
import { fixed } from "../../../src/plan/views.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import { cast, constant, dequantize, reshape, transpose, type Recipe } from "../../../src/tensor/recipe.ts";
import type { DType } from "../../../src/tensor/dtype.ts";
import type { DeviceContext, DeviceRule, DeviceView } from "../context.ts";
import { codeType } from "../precision.ts";
import { storesFractals } from "../kernels/matrix/flow.ts";
import { gemm } from "../kernels/matrix/gemm.ts";
import type { GemmSpec, Weights } from "../kernels/matrix/spec.ts";
import type { Tile } from "../kernels/matrix/tile.ts";
import { roundRows } from "../kernels/vector/elementwise.ts";
import type { View } from "../kernels/vector/tile.ts";
import { areFractal } from "./fractal-rows.ts";
import { leftToReaders } from "./sums.ts";
import { rowsIn, rowsView } from "./views.ts";

/** A matrix, or one for each head or expert, as products read it. */
export type Matrix = { readonly weights: Weights; readonly operands: Readonly<Record<string, DeviceView>> };

/** Scales or zero points [.., n, groups] as kernels read them: [.., groups, n], f32. */
const byGroup = (cx: DeviceContext, recipe: Recipe): DeviceView => cx.weight(transpose(cast(recipe, "f32")));

/** A recipe's numbers times another, as float32. */
function times(of: Recipe, factor: number): Recipe {
  const cols = of.shape.at(-1) ?? 1;
  const rows = of.shape.slice(0, -1).reduce((n, d) => n * d, 1);
  const flat = dequantize(reshape(of, [rows, cols]), constant([1, 1], [factor]), [rows, cols]);
  return reshape(flat, of.shape);
}

/** Codes as kernels read them, and their scales. */
type Coded = { readonly dtype: "i8" | "i4"; readonly codes: Recipe; readonly scales: DeviceView };

/** Numbers of E2M1 stand for twice their value, which is whole, behind scales of half. */
function coded(cx: DeviceContext, codes: Recipe, scales: Recipe, bits: number): Coded {
  if (codes.dtype === "f4e2m1")
    return { dtype: "i8", codes: cast(times(codes, 2), "i8"), scales: byGroup(cx, times(scales, 0.5)) };
  const dtype = codeType(cx.profile, bits, codes.shape.at(-1) ?? 1);
  return { dtype, codes: cast(codes, dtype), scales: byGroup(cx, scales) };
}

/** Rows and columns of a recipe's matrices. */
const sidesOf = ({ shape }: Recipe): readonly [n: number, k: number] => [
  shape.at(-2) ?? 1,
  shape.at(-1) ?? 1,
];

/** A weight of codes that is multiplied as numbers, or one that is stored as numbers. */
export function matrixOf(cx: DeviceContext, value: Value | undefined, op: string): Matrix {
  const parts = cx.quantized(value);
  if (parts && parts.rotation === 1) {
    const { dtype, codes, scales } = coded(cx, parts.codes, parts.scales, parts.bits);
    const zeros = parts.zeros && { zeros: byGroup(cx, parts.zeros) };
    return {
      weights: { kind: "coded", dtype, group: parts.group, zeros: zeros !== undefined },
      operands: { w: cx.weight(codes), scales, ...zeros },
    };
  }
  const recipe =
    cx.recipe(value) ?? fail("target/unsupported-op", undefined, op, "a weight is computed at run time");
  const stored = cast(recipe, cx.precision.operand);
  const nz = storesFractals(cx.profile, stored.dtype, stored.dtype, sidesOf(stored));
  return {
    weights: { kind: "plain", dtype: stored.dtype, nz },
    operands: { w: nz ? cx.fractals(stored) : cx.weight(stored) },
  };
}

/** A weight of codes that is multiplied as whole numbers, its scales beside it. */
export function integerMatrix(
  cx: DeviceContext,
  codes: Value | undefined,
  scales: Value | undefined,
  { group, bits }: { readonly group: number; readonly bits: number },
): Matrix {
  const [w, s] = [cx.recipe(codes), cx.recipe(scales)];
  if (!w || !s)
    return fail("target/unsupported-op", undefined, "integerLinear", "its codes are computed at run time");
  const own = coded(cx, w, s, bits);
  const nz = storesFractals(cx.profile, "i8", own.dtype, sidesOf(own.codes));
  return {
    weights: { kind: "integer", dtype: own.dtype, group, nz },
    operands: { w: nz ? cx.fractals(own.codes) : cx.weight(own.codes), scales: own.scales },
  };
}

/** A product of so many rows in the best tile there is for it. */
export type TiledProduct = {
  readonly spec: GemmSpec;
  readonly tile: Tile;
  readonly operands: Matrix["operands"];
  readonly rows: Extent;
};

/** out = a w^T, its tile chosen. */
export function productOf(
  cx: DeviceContext,
  spec: Omit<GemmSpec, "w">,
  { weights, operands }: Matrix,
  rows: Extent,
): TiledProduct {
  const whole = { ...spec, w: weights };
  return { spec: whole, tile: cx.tile(whole, cx.most(rows)).tile, operands, rows };
}

/** The launch of a product, on all operands but its weights. */
export const launchProduct = (
  cx: DeviceContext,
  { spec, tile, operands, rows }: TiledProduct,
  views: Readonly<Record<string, DeviceView>>,
): void => cx.launch(cx.kernel(gemm, spec, tile), { S: rows }, { ...views, ...operands });

/** What a result is kept in: logits and what routers read in full precision, as little is gained and much lost otherwise. */
function resultType(cx: DeviceContext, out: Value | undefined): DType {
  const readers = cx.readers(out);
  return readers.has("router") || readers.has("result") ? "f32" : cx.wanted(out);
}

function resultOf(cx: DeviceContext, out: Value | undefined): DeviceView {
  const type = resultType(cx, out);
  return type === cx.wanted(out) ? cx.output(out) : cx.output(out, type);
}

/** Rows of so many elements, side by side. */
const denseView = (dtype: DType, width: number): View => ({ dtype, width, rowStride: width });

/** Nodes that read a value, or round it after a rotation. */
const rowReaders = (cx: DeviceContext, value: Value | undefined): readonly Node[] =>
  cx.consumers(value).flatMap((node) => (node.op === "hadamard" ? cx.consumers(node.results[0]) : [node]));

/** The product that a node is of rows `a`, as its rule will have it; undefined where it is another operator, or one that reads other rows. */
function productAt(cx: DeviceContext, node: Node, a: View): GemmSpec | undefined {
  const [result] = node.results;
  const out = denseView(resultType(cx, result), fixed(result?.type.dims.at(-1), node.op));
  if (isOp(node, "linear") && a.dtype !== "i8")
    return { a, w: matrixOf(cx, node.operands[1], "linear").weights, out, ...(node.operands[2] && { bias: true }) }; // prettier-ignore
  if (isOp(node, "integerLinear") && a.dtype === "i8") {
    const [, codes, scales, bias] = node.operands;
    return { a, w: integerMatrix(cx, codes, scales, node.attrs).weights, out, ...(bias && { bias: true }) };
  }
  return undefined;
}

/** The products that read rows of a value, numbers or codes; none where anything else does. */
export function productsOf(cx: DeviceContext, value: Value | undefined, rows: View): readonly GemmSpec[] {
  if (cx.readers(value).has("result")) return [];
  const isRounding = (node: Node): boolean => node.op === "integerLinear" || node.op === "integerExperts";
  const readers = rowReaders(cx, value).filter((it) => rows.dtype !== "i8" || isRounding(it));
  const products = readers.flatMap((node) => productAt(cx, node, rows) ?? []);
  return products.length === readers.length ? products : [];
}

const biasOf = (cx: DeviceContext, bias: Value | undefined): Readonly<Record<string, DeviceView>> => {
  const recipe = cx.recipe(bias);
  return recipe ? { bias: cx.weight(cast(recipe, "f32")) } : {};
};

const linear: DeviceRule<NodeOf<"linear">> = (cx, { operands: [x, w, bias], results: [result] }) => {
  const [a, out] = [cx.view(x), resultOf(cx, result)];
  const spec = { a: rowsView(a), out: rowsView(out), ...(bias && { bias: true }) };
  launchProduct(cx, productOf(cx, spec, matrixOf(cx, w, "linear"), rowsIn(a)), { a, out, ...biasOf(cx, bias) }); // prettier-ignore
};

/** Rows rounded to int8, each with its scale; those that whoever made them has rounded already are so. Of codes that only these
 * products read, it is chosen how they lie. */
export function rounded(
  cx: DeviceContext,
  x: DeviceView,
  name: string,
  products: readonly GemmSpec[],
): { readonly codes: DeviceView; readonly scales: DeviceView } {
  if (x.rounded?.rotation === (x.rotation ?? 1)) return x.rounded;
  const { width } = rowsView(x);
  const rows = rowsIn(x);
  const write = (nz: boolean): Kernel => cx.kernel(roundRows, rowsView(x), { rotation: x.rotation ?? 1, nz });
  const nz = areFractal(cx, products, rows, write);
  const codes = { ...cx.scratch(`${name}.codes`, "i8", rows, [width]), nz };
  const scales = cx.scratch(`${name}.scales`, "f32", rows, [1]);
  cx.launch(write(nz), { S: rows }, { a: x, codes, scales });
  return { codes, scales };
}

const integerLinear: DeviceRule<NodeOf<"integerLinear">> = (
  cx,
  { operands: [x, codes, scales, bias], results: [result], attrs },
) => {
  const input = cx.view(x);
  const rows = rowsIn(input);
  const matrix = integerMatrix(cx, codes, scales, attrs);
  const a = denseView("i8", fixed(input.dims.at(-1), "integerLinear"));
  const to = denseView(resultType(cx, result), fixed(result?.type.dims.at(-1), "integerLinear"));
  const spec = { w: matrix.weights, out: to, ...(bias && { bias: true }) };
  const own = rounded(cx, input, "x", [{ ...spec, a }]);
  const whole = { ...spec, a: rowsView(own.codes) };
  const left = leftToReaders(cx, result, whole, rows);
  if (left) return leaveSums(cx, result, left, { codes: own, matrix, rows });
  const out = resultOf(cx, result);
  const views = { a: own.codes, aScales: own.scales, out, ...biasOf(cx, bias) };
  launchProduct(cx, productOf(cx, { ...whole, out: rowsView(out) }, matrix, rows), views);
};

type Rounded = { readonly codes: DeviceView; readonly scales: DeviceView };

/** The sums of a product, as its result. */
function leaveSums(
  cx: DeviceContext,
  result: Value | undefined,
  { w: weights, ...spec }: GemmSpec,
  from: { readonly codes: Rounded; readonly matrix: Matrix; readonly rows: Extent },
): void {
  const { codes: own, matrix, rows } = from;
  const { w, scales: columns } = matrix.operands;
  if (!w || !columns) throw new Error("codes have scales");
  const sums = cx.scratch("sums", "i32", rows, [spec.out.width]);
  launchProduct(cx, productOf(cx, spec, { weights, operands: { w } }, rows), { a: own.codes, out: sums });
  cx.bind(result, { ...sums, dims: result?.type.dims ?? [], sums: { columns, rows: own.scales } });
}

/** Kept for the kernel that rounds the rows. */
const hadamard: DeviceRule<NodeOf<"hadamard">> = (
  cx,
  { operands: [x], results: [out], attrs: { block } },
) => {
  const readers = [...cx.readers(out)];
  if (readers.some((it) => it !== "integerLinear" && it !== "integerExperts"))
    return fail("target/unsupported-op", undefined, "hadamard", "it is read by what does not round it");
  cx.bind(out, { ...cx.view(x), rotation: block });
};

const headLinear: DeviceRule<NodeOf<"headLinear">> = (cx, { operands: [x, w], results: [result] }) => {
  const [a, out] = [cx.view(x), cx.output(result)];
  const [, heads, width] = a.dims;
  const headed = (view: DeviceView, n: number) => ({
    dtype: view.dtype,
    width: n,
    heads: fixed(heads, "headLinear"),
    rowStride: view.strides[0] ?? 1,
    headStride: view.strides[1] ?? 1,
  });
  const spec = {
    a: headed(a, fixed(width, "headLinear")),
    out: headed(out, fixed(out.dims[2], "headLinear")),
  };
  launchProduct(cx, productOf(cx, spec, matrixOf(cx, w, "headLinear"), rowsIn(a)), { a, out });
};

export const productRules = { linear, integerLinear, hadamard, headLinear } as const;
