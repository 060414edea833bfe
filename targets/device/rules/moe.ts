import type { NodeOf, Value } from "../../../src/ir/graph.ts";
import { coreCount } from "../../../src/machine/rates.ts";
import type { Kernel } from "../../../src/machine/schedule/kernel.ts";
import type { Extent } from "../../../src/plan/program/program.ts";
import { fixed } from "../../../src/plan/views.ts";
import { cast } from "../../../src/tensor/recipe.ts";
import type { DeviceContext, DeviceRule, DeviceView } from "../context.ts";
import type { View } from "../kernels/vector/tile.ts";
import { countSlots, expertRow } from "../kernels/vector/count-slots.ts";
import { groupSlots, type GroupSpec } from "../kernels/vector/group-slots.ts";
import { combineRows, permuteRows } from "../kernels/vector/permute.ts";
import { placeSlots } from "../kernels/vector/place-slots.ts";
import { router as routerKernel } from "../kernels/vector/router.ts";
import { areFractal } from "./fractal-rows.ts";
import { integerMatrix, launchProduct, matrixOf, productOf, rounded, type Matrix, type TiledProduct } from "./products.ts"; // prettier-ignore
import { gate } from "./rowwise.ts";
import { rowsIn, rowsView } from "./views.ts";

const router: DeviceRule<NodeOf<"router">> = (cx, { operands: [x, b], results: [chosen, shares], attrs }) => {
  const [logits, indices, weights] = [cx.view(x), cx.output(chosen), cx.output(shares, "f32")];
  const recipe = cx.recipe(b);
  const experts = fixed(logits.dims[1], "router");
  const kernel = cx.kernel(routerKernel, {
    ...attrs,
    logits: logits.dtype,
    experts,
    bias: recipe !== undefined,
  });
  const bias = recipe && { bias: cx.weight(cast(recipe, "f32")) };
  cx.launch(kernel, { S: rowsIn(logits) }, { logits, ...bias, indices, weights });
};

/** The slots of a layer's tokens, expert by expert. */
type Slots = {
  readonly experts: number;
  readonly topK: number;
  readonly tokens: Extent;
  readonly rows: Extent;
  readonly indices: DeviceView;
  readonly offsets: DeviceView;
  readonly place: DeviceView;
  /** Some are of experts elsewhere; they have no place. */
  readonly partial: boolean;
};

function slotsOf(cx: DeviceContext, indices: DeviceView, experts: number): Slots {
  const topK = fixed(indices.dims[1], "experts");
  const tokens = rowsIn(indices);
  const rows = { ...tokens, times: tokens.times * topK };
  const place = cx.scratch("place", "i32", rows, [1]);
  const offsets = cx.scratch("offsets", "i32", { times: experts + 1, dim: "1" }, [1]);
  const partial = indices.partial ?? false;
  groupedSlots(cx, { experts, topK, partial }, tokens, { indices, offsets, place });
  return { experts, topK, tokens, rows, indices, offsets, place, partial };
}

/** Slots in groups: by one kernel that goes through all of them in each core, or by two, each core with its own tokens' alone, where these are so many that it pays for a launch. */
function groupedSlots(
  cx: DeviceContext,
  spec: GroupSpec,
  tokens: Extent,
  views: Readonly<Record<"indices" | "offsets" | "place", DeviceView>>,
): void {
  const { launch, clock, vector } = cx.profile;
  const [group, count, place] = [cx.kernel(groupSlots, spec), cx.kernel(countSlots, spec), cx.kernel(placeSlots, spec)]; // prettier-ignore
  const cycles = (it: Kernel): number => cx.cycles(it, cx.most(tokens)) + launch.value * clock.value;
  if (cycles(group) <= cycles(count) + cycles(place)) return cx.launch(group, { S: tokens }, views);
  const parts = coreCount(cx.profile, vector.core);
  const counts = cx.scratch("counts", "i32", { times: parts, dim: "1" }, [expertRow(spec).width]);
  cx.launch(count, { S: tokens }, { indices: views.indices, counts });
  cx.launch(place, { S: tokens }, { ...views, counts });
}

/** Which slots are of experts elsewhere, for kernels that leave them out. */
const choicesOf = ({ partial, indices }: Slots): Readonly<Record<string, DeviceView>> =>
  partial ? { indices } : {};

/** A list of blocks of rows, and how many they are. */
type Blocks = { readonly blocks: DeviceView; readonly blockCount: DeviceView };

/** Each token's row in the place of each of its slots, and the lists of blocks for the tiles of some products; with `scales`, those of rounded rows too. */
function permuted(
  cx: DeviceContext,
  slots: Slots,
  x: DeviceView,
  products: readonly TiledProduct[],
  scales?: DeviceView,
): {
  readonly rows: DeviceView;
  readonly rowScales?: DeviceView;
  readonly lists: ReadonlyMap<number, Blocks>;
} {
  const { topK, tokens, place, offsets, partial, experts } = slots;
  const rows = cx.scratch("rows", x.dtype, slots.rows, [rowsView(x).width]);
  const rowScales = scales && cx.scratch("rowScales", "f32", slots.rows, [1]);
  const heights = [...new Set(products.map((it) => it.tile.area.m))];
  const lists = new Map(heights.map((it) => [it, blockList(cx, slots, it)]));
  const blocks = { experts, heights };
  const kernel = cx.kernel(permuteRows, { x: rowsView(x), topK, scaled: scales !== undefined, partial, blocks }); // prettier-ignore
  const written = [...lists].flatMap(([height, it]) => Object.entries(it).map(([name, view]) => [`${name}${height}`, view])); // prettier-ignore
  const views = { x, place, ...choicesOf(slots), offsets, rows, ...(scales && rowScales && { scales, rowScales }), ...Object.fromEntries(written) }; // prettier-ignore
  cx.launch(kernel, { S: tokens }, views);
  return { rows, lists, ...(rowScales && { rowScales }) };
}

/** Room for the list of blocks of a height. */
function blockList(cx: DeviceContext, { experts, rows }: Slots, height: number): Blocks {
  const most = { times: 2 * (experts + Math.floor(cx.most(rows) / height)), dim: "1" };
  return {
    blocks: cx.scratch(`blocks${height}`, "i32", most, [1]),
    blockCount: cx.scratch(`blockCount${height}`, "i32", { times: 1, dim: "1" }, [1]),
  };
}

/** Rows of slots times their expert's matrix. */
const groupedProduct = (
  cx: DeviceContext,
  { rows, experts }: Slots,
  a: View,
  matrix: Matrix,
  out: DeviceView,
): TiledProduct => productOf(cx, { a, out: rowsView(out), experts }, matrix, rows);

/** Rows for the second product of experts, which alone reads them, as they best lie; what `write` makes of that, and the product. */
function gatedRows(
  cx: DeviceContext,
  slots: Slots,
  to: DeviceView,
  matrix: Matrix,
  out: DeviceView,
  write: (rows: View) => Kernel,
): { readonly rows: DeviceView; readonly kernel: Kernel; readonly product: TiledProduct } {
  const { spec } = groupedProduct(cx, slots, rowsView(to), matrix, out);
  const nz = areFractal(cx, [spec], slots.rows, (it) => write({ ...rowsView(to), nz: it }));
  const rows = { ...to, nz };
  return { rows, kernel: write(rowsView(rows)), product: groupedProduct(cx, slots, rowsView(rows), matrix, out) }; // prettier-ignore
}

function combined(
  cx: DeviceContext,
  slots: Slots,
  rows: DeviceView,
  weights: DeviceView,
  result: Value | undefined,
): void {
  const { topK, tokens, place, partial } = slots;
  const out = cx.output(result);
  const kernel = cx.kernel(combineRows, { rows: rows.dtype, out: rowsView(out), topK, partial });
  cx.launch(kernel, { S: tokens }, { rows, place, ...choicesOf(slots), weights, out });
}

const experts: DeviceRule<NodeOf<"experts">> = (
  cx,
  { operands: [x, indices, shares, gateUp, down], results: [result] },
) => {
  const [count = 1, width = 1, inner = 1] = (down?.type.dims ?? []).map((d) => fixed(d, "experts"));
  const slots = slotsOf(cx, cx.view(indices), count);
  const { operand, carried } = cx.precision;
  const hidden = cx.scratch("hidden", carried, slots.rows, [2 * inner]);
  const own = cx.scratch("own", carried, slots.rows, [width]);
  const a = rowsView(cx.view(x));
  const first = groupedProduct(cx, slots, { dtype: a.dtype, width: a.width }, matrixOf(cx, gateUp, "experts"), hidden); // prettier-ignore
  const halves = gate(cx, hidden);
  const gated = gatedRows(cx, slots, cx.scratch("gated", operand, slots.rows, [inner]), matrixOf(cx, down, "experts"), own, (out) => halves.write({ out })); // prettier-ignore
  const last = gated.product;
  const { rows, lists } = permuted(cx, slots, cx.view(x), [first, last]);
  const { offsets } = slots;
  launchProduct(cx, first, { a: rows, offsets, ...lists.get(first.tile.area.m), out: hidden });
  cx.launch(gated.kernel, { S: slots.rows }, { ...halves.operands, out: gated.rows });
  launchProduct(cx, last, { a: gated.rows, offsets, ...lists.get(last.tile.area.m), out: own });
  combined(cx, slots, own, cx.view(shares), result);
};

const integerExperts: DeviceRule<NodeOf<"integerExperts">> = (cx, { operands, results: [result], attrs }) => {
  const [x, indices, shares, gateUp, gateUpScales, down, downScales] = operands;
  const [count = 1, width = 1, inner = 1] = (down?.type.dims ?? []).map((d) => fixed(d, "experts"));
  const slots = slotsOf(cx, cx.view(indices), count);
  const { offsets } = slots;
  const own = rounded(cx, cx.view(x), "x", []);
  const hidden = cx.scratch("hidden", "f32", slots.rows, [2 * inner]);
  const scales = cx.scratch("gated.scales", "f32", slots.rows, [1]);
  const outs = cx.scratch("own", "f32", slots.rows, [width]);
  const upMatrix = integerMatrix(cx, gateUp, gateUpScales, { group: attrs.gateUpGroup, bits: attrs.gateUpBits }); // prettier-ignore
  const downMatrix = integerMatrix(cx, down, downScales, { group: attrs.downGroup, bits: attrs.downBits });
  const first = groupedProduct(cx, slots, rowsView(own.codes), upMatrix, hidden);
  const halves = gate(cx, hidden);
  const gated = gatedRows(cx, slots, cx.scratch("gated.codes", "i8", slots.rows, [inner]), downMatrix, outs, ({ nz = false }) => halves.write({ rounded: { rotation: attrs.downRotation, nz } })); // prettier-ignore
  const last = gated.product;
  const { rows, rowScales, lists } = permuted(cx, slots, own.codes, [first, last], own.scales);
  launchProduct(cx, first, { a: rows, ...(rowScales && { aScales: rowScales }), offsets, ...lists.get(first.tile.area.m), out: hidden }); // prettier-ignore
  cx.launch(gated.kernel, { S: slots.rows }, { ...halves.operands, codes: gated.rows, scales });
  launchProduct(cx, last, {
    a: gated.rows,
    aScales: scales,
    offsets,
    ...lists.get(last.tile.area.m),
    out: outs,
  });
  combined(cx, slots, outs, cx.view(shares), result);
};

export const moeRules = { router, experts, integerExperts } as const;
