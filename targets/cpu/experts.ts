import type { Value } from "../../src/ir/graph.ts";
import type { Extent } from "../../src/plan/program/program.ts";
import type { CodedWeight, WeightFormat } from "./kernels/spec.ts";
import type { LoweringContext } from "./lower.ts";
import { integerMatrix, matrixOf, rotateRows, roundRows, type Matrix } from "./products.ts";
import { address, blocks, count, flat, one, rowsOf, type Flat, type Rule } from "./steps.ts";
import { fixed, rowStride, type View } from "../../src/plan/views.ts";

/** The slots of a layer, a token's k choices one after another, in groups of one expert each. */
type Groups = {
  readonly experts: number;
  readonly k: number;
  readonly rows: Extent;
  readonly slots: Extent;
  readonly counts: View;
  readonly order: View;
};

function expertGroups(cx: LoweringContext, indices: Value | undefined, experts: number): Groups {
  const chosen = cx.view(indices);
  const rows = rowsOf(chosen);
  const k = fixed(chosen.dims[1], "experts");
  const slots = { ...rows, times: rows.times * k };
  const order = cx.scratchBuffer("groups", slots, 4);
  const counts = cx.scratchBuffer("counts", one, 4 * (experts + 1));
  cx.step(
    { kind: "expertGroups", experts, k },
    [address(chosen), address(counts), address(order), count(rows)],
    one,
  );
  return { experts, k, rows, slots, counts, order };
}

/** Each slot's row, of what is called `name`, times its expert's matrix [n, k]; a slot's input row is the slot divided by `divisor`. */
type Product = {
  readonly name: string;
  readonly from: Flat;
  readonly to: View;
  readonly n: number;
  readonly divisor: number;
};

function groupedProduct(
  cx: LoweringContext,
  { experts, counts, order, rows }: Groups,
  { format, args }: Matrix<WeightFormat>,
  { from, to, n, divisor }: Product,
): void {
  const shape = { k: from.width, n, ldx: rowStride(from.view), ldo: n, experts, divisor };
  cx.step(
    { kind: "groupedLinear", ...format, ...shape },
    [...args, address(from.view), address(counts), address(order), address(to), count(rows)],
    blocks(n),
  );
}

function groupedIntegerProduct(
  cx: LoweringContext,
  { experts, counts, order, rows }: Groups,
  { format, args }: Matrix<CodedWeight>,
  { name, from, to, n, divisor }: Product,
): void {
  const rounded = roundRows(cx, from.view, from.width, from.rows, name);
  cx.step(
    { kind: "groupedIntegerLinear", ...format, k: from.width, n, ldo: n, experts, divisor },
    [
      ...args,
      address(rounded.codes),
      address(rounded.scales),
      address(counts),
      address(order),
      address(to),
      count(rows),
    ],
    blocks(n),
  );
}

/** silu(first half) * second half of each row. */
export function swigluHalves(cx: LoweringContext, from: View, to: View, n: number, rows: Extent): void {
  const second = { ...from, offset: from.offset + n };
  cx.step(
    { kind: "swiglu", n, ldg: rowStride(from), ldu: rowStride(from), ldo: n },
    [address(from), address(second), address(to), count(rows)],
    rows,
  );
}

/** The layer around its two products: gate and up of each slot, their gated product, down, and the weighted sum. */
function layer(
  cx: LoweringContext,
  [x, indices, weights, down]: readonly (Value | undefined)[],
  out: Value | undefined,
  rotation: number,
  products: readonly [
    first: (groups: Groups, it: Product) => void,
    last: (groups: Groups, it: Product) => void,
  ],
): void {
  const [experts = 1, width = 1, inner = 1] = (down?.type.dims ?? []).map((d) => fixed(d, "experts"));
  const groups = expertGroups(cx, indices, experts);
  const hidden = cx.scratchBuffer("hidden", groups.slots, 8 * inner);
  const gated = cx.scratchBuffer("gated", groups.slots, 4 * inner);
  const shares = cx.scratchBuffer("shares", groups.slots, 4 * width);
  const [first, last] = products;
  first(groups, { name: "x", from: flat(cx, x), to: hidden, n: 2 * inner, divisor: groups.k });
  swigluHalves(cx, hidden, gated, inner, groups.slots);
  const input = rotation === 1 ? gated : cx.scratchBuffer("rotated", groups.slots, 4 * inner);
  if (rotation > 1) rotateRows(cx, { view: gated, width: inner, rows: groups.slots }, input, rotation);
  const rows = { view: input, width: inner, rows: groups.slots };
  last(groups, { name: "gated", from: rows, to: shares, n: width, divisor: 1 });
  const to = cx.output(out);
  cx.step(
    { kind: "combine", n: width, k: groups.k },
    [address(shares), address(cx.view(indices)), address(cx.view(weights)), address(to), count(groups.rows)],
    groups.rows,
  );
}

export const experts: Rule<"experts"> = (cx, { operands: [x, indices, weights, gateUp, down], results }) =>
  layer(cx, [x, indices, weights, down], results[0], 1, [
    (groups, it) => groupedProduct(cx, groups, matrixOf(cx, gateUp), it),
    (groups, it) => groupedProduct(cx, groups, matrixOf(cx, down), it),
  ]);

export const integerExperts: Rule<"integerExperts"> = (cx, { operands, results, attrs }) => {
  const [x, indices, weights, gateUp, gateUpScales, down, downScales] = operands;
  const first = integerMatrix(cx, gateUp, gateUpScales, { group: attrs.gateUpGroup, bits: attrs.gateUpBits });
  const last = integerMatrix(cx, down, downScales, { group: attrs.downGroup, bits: attrs.downBits });
  layer(cx, [x, indices, weights, down], results[0], attrs.downRotation, [
    (groups, it) => groupedIntegerProduct(cx, groups, first, it),
    (groups, it) => groupedIntegerProduct(cx, groups, last, it),
  ]);
};

export const expertHidden: Rule<"expertHidden"> = (cx, { operands: [x, indices, gateUp], results }) => {
  const [experts, n = 2] = (gateUp?.type.dims ?? []).map((d) => fixed(d, "expertHidden"));
  const groups = expertGroups(cx, indices, experts ?? 1);
  const hidden = cx.scratchBuffer("hidden", groups.slots, 4 * n);
  const product = { name: "x", from: flat(cx, x), to: hidden, n, divisor: groups.k };
  groupedProduct(cx, groups, matrixOf(cx, gateUp), product);
  swigluHalves(cx, hidden, cx.output(results[0]), n / 2, groups.slots);
};
