import type { NodeOf, Value } from "../../../src/ir/graph.ts";
import type { Kernel } from "../../../src/machine/schedule/kernel.ts";
import { cast } from "../../../src/tensor/recipe.ts";
import { extentOf, fixed } from "../../../src/plan/views.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import { add, mul, silu as siluKernel, swiglu as swigluKernel } from "../kernels/vector/elementwise.ts";
import { rmsNorm as normKernel } from "../kernels/vector/norm.ts";
import type { Rounding } from "../kernels/vector/round-rows.ts";
import type { View } from "../kernels/vector/tile.ts";
import type { DeviceContext, DeviceRule, DeviceView } from "../context.ts";
import { normThatAdds } from "./adds.ts";
import { areFractal } from "./fractal-rows.ts";
import { productsOf } from "./products.ts";
import { reading } from "./sums.ts";
import { headsView, rowsIn, rowsView } from "./views.ts";

/** A weight as it is stored, of 16 bits in those that the machine has; what no kernel takes in its own dtype is widened. */
export function weightOf(cx: DeviceContext, value: Value | undefined, op: string): DeviceView {
  const recipe =
    cx.recipe(value) ?? fail("target/unsupported-op", undefined, op, "a weight is computed at run time");
  const narrow = cx.precision.operand === "f16" ? "f16" : "bf16";
  return cx.weight(cast(recipe, recipe.dtype === "bf16" ? narrow : "f32"));
}

/** What a kernel makes of a value: its rows as numbers, where something reads those, and rounded, where integer products do. */
type Results = { readonly out?: View; readonly rounded?: Rounding };
type Made = { readonly kernel: Kernel; readonly operands: Readonly<Record<string, DeviceView>> };

/**
 * The kernel that makes a value, by `write`, and where it goes, bound to it. Rows that only products read lie in fractals where that is best.
 */
function made(cx: DeviceContext, value: Value | undefined, write: (results: Results) => Kernel): Made {
  const { rotation, isAll } = cx.roundedAs(value) ?? { isAll: false };
  const [first = 1, width, ...more] = value?.type.dims ?? [];
  const rows = extentOf(first);
  if (rotation === undefined || more.length > 0) {
    const to = cx.output(value);
    const plain = (nz: boolean): Kernel => write({ out: { ...headsView(to), nz } });
    const nz = areFractal(cx, productsOf(cx, value, headsView(to)), rows, plain);
    const out = { ...to, nz };
    cx.bind(value, out);
    return { kernel: plain(nz), operands: { out } };
  }
  const there = cx.scratch("codes", "i8", rows, [fixed(width, "rounding")]);
  const scales = cx.scratch("scales", "f32", rows, [1]);
  const out = isAll ? undefined : cx.output(value);
  const rounding = (nz: boolean): Kernel =>
    write({ rounded: { rotation, nz }, ...(out && { out: headsView(out) }) });
  const codes = { ...there, nz: areFractal(cx, productsOf(cx, value, rowsView(there)), rows, rounding) };
  cx.bind(value, { ...(out ?? codes), rounded: { rotation, codes, scales } });
  return { kernel: rounding(codes.nz), operands: { codes, scales, ...(out && { out }) } };
}

const rmsNorm: DeviceRule<NodeOf<"rmsNorm">> = (
  cx,
  { operands: [x, gain], results: [out], attrs: { eps } },
) => {
  const [input, g] = [cx.view(x), weightOf(cx, gain, "rmsNorm")];
  const spec = { x: headsView(input), gain: g.dtype, eps };
  const { kernel, operands } = made(cx, out, (it) => cx.kernel(normKernel, { ...spec, ...it }));
  cx.launch(kernel, { S: rowsIn(input) }, { ...reading("x", input), gain: g, ...operands });
};

const addRmsNorm: DeviceRule<NodeOf<"addRmsNorm">> = (
  cx,
  { operands: [x, y, gain], results: [total, out], attrs: { eps } },
) => {
  const [input, residual, g] = [cx.view(x), cx.view(y), weightOf(cx, gain, "addRmsNorm")];
  const sum = cx.output(total);
  const { more } = residual;
  const added = { residual: rowsView(residual), ...(more && { more: rowsView(more) }) };
  const spec = { x: rowsView(input), ...added, sum: rowsView(sum), gain: g.dtype, eps };
  const { kernel, operands } = made(cx, out, (it) => cx.kernel(normKernel, { ...spec, ...it }));
  cx.launch(
    kernel,
    { S: rowsIn(input) },
    { ...reading("x", input), ...reading("residual", residual), ...(more && reading("more", more)), gain: g, sum, ...operands }, // prettier-ignore
  );
};

const two =
  (maker: typeof add): DeviceRule<NodeOf<"add" | "mul" | "swiglu">> =>
  (cx, { operands: [x, y], results: [out] }) => {
    const [a, b] = [cx.view(x), cx.view(y)];
    const spec = { a: rowsView(a), b: rowsView(b) };
    const { kernel, operands } = made(cx, out, (it) => cx.kernel(maker, { ...spec, ...it }));
    cx.launch(kernel, { S: rowsIn(a) }, { ...reading("a", a), ...reading("b", b), ...operands });
  };

const addRule: DeviceRule<NodeOf<"add">> = (cx, node) => {
  if (!normThatAdds(cx, node)) return two(add)(cx, node);
  const { operands: [x, y], results: [out] } = node; // prettier-ignore
  cx.bind(out, { ...cx.view(x), more: cx.view(y) });
};

const silu: DeviceRule<NodeOf<"silu">> = (cx, { operands: [x], results: [out] }) => {
  const [a, to] = [cx.view(x), cx.output(out)];
  cx.launch(cx.kernel(siluKernel, { a: rowsView(a), out: rowsView(to) }), { S: rowsIn(a) }, { a, out: to });
};

/** silu(first half) * second half of each row of x, as results are wanted: the kernel, and its operands. */
export function gate(cx: DeviceContext, x: DeviceView) {
  const { width, ...whole } = rowsView(x);
  const half = { ...whole, width: width / 2 };
  return {
    write: (it: Results): Kernel => cx.kernel(swigluKernel, { a: half, b: half, ...it }),
    operands: { ...reading("a", x), ...reading("b", { ...x, offset: x.offset + width / 2 }) },
  };
}

const swigluPacked: DeviceRule<NodeOf<"swigluPacked">> = (cx, { operands: [x], results: [out] }) => {
  const input = cx.view(x);
  const halves = gate(cx, input);
  const { kernel, operands } = made(cx, out, halves.write);
  cx.launch(kernel, { S: rowsIn(input) }, { ...halves.operands, ...operands });
};

/** Operators of single rows. */
export const rowwiseRules = {
  rmsNorm,
  addRmsNorm,
  add: addRule,
  mul: two(mul),
  swiglu: two(swigluKernel),
  silu,
  swigluPacked,
} as const;
