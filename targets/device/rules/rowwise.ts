import type { NodeOf, Value } from "../../../src/ir/graph.ts";
import type { Extent } from "../../../src/plan/program/program.ts";
import { cast } from "../../../src/tensor/recipe.ts";
import { extentOf, fixed } from "../../../src/plan/views.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import { add, mul, silu as siluKernel, swiglu as swigluKernel } from "../kernels/vector/elementwise.ts";
import { rmsNorm as normKernel } from "../kernels/vector/norm.ts";
import type { Rounding } from "../kernels/vector/round-rows.ts";
import type { View } from "../kernels/vector/tile.ts";
import type { DeviceContext, DeviceRule, DeviceView } from "../context.ts";
import { headsView, rowsIn, rowsView } from "./views.ts";

/** A weight as it is stored, of 16 bits in those that the machine has; what no kernel takes in its own dtype is widened. */
export function weightOf(cx: DeviceContext, value: Value | undefined, op: string): DeviceView {
  const recipe =
    cx.recipe(value) ?? fail("target/unsupported-op", undefined, op, "a weight is computed at run time");
  const narrow = cx.precision.operand === "f16" ? "f16" : "bf16";
  return cx.weight(cast(recipe, recipe.dtype === "bf16" ? narrow : "f32"));
}

/** What a kernel makes of a value: its rows as numbers, where something reads those, and rounded, where integer products do. */
type Made = {
  readonly spec: { readonly out?: View; readonly rounded?: Rounding };
  readonly operands: Readonly<Record<string, DeviceView>>;
};

/** Where a value of one run a row goes, bound to it. */
function makes(cx: DeviceContext, value: Value | undefined): Made {
  const { rotation, isAll } = cx.roundedAs(value) ?? { isAll: false };
  const [rows = 1, width, ...more] = value?.type.dims ?? [];
  if (rotation === undefined || more.length > 0) {
    const out = cx.output(value);
    return { spec: { out: headsView(out) }, operands: { out } };
  }
  const codes = cx.scratch("codes", "i8", extentOf(rows), [fixed(width, "rounding")]);
  const scales = cx.scratch("scales", "f32", extentOf(rows), [1]);
  const rounded = { rotation, codes, scales };
  const out = isAll ? undefined : cx.output(value);
  cx.bind(value, { ...(out ?? codes), rounded });
  const spec = { rounded: { rotation }, ...(out && { out: headsView(out) }) };
  return { spec, operands: { codes, scales, ...(out && { out }) } };
}

const rmsNorm: DeviceRule<NodeOf<"rmsNorm">> = (
  cx,
  { operands: [x, gain], results: [out], attrs: { eps } },
) => {
  const [input, g, { spec, operands }] = [cx.view(x), weightOf(cx, gain, "rmsNorm"), makes(cx, out)];
  const kernel = cx.kernel(normKernel, { x: headsView(input), gain: g.dtype, eps, ...spec });
  cx.launch(kernel, { S: rowsIn(input) }, { x: input, gain: g, ...operands });
};

const addRmsNorm: DeviceRule<NodeOf<"addRmsNorm">> = (
  cx,
  { operands: [x, y, gain], results: [total, out], attrs: { eps } },
) => {
  const [input, residual, g] = [cx.view(x), cx.view(y), weightOf(cx, gain, "addRmsNorm")];
  const [sum, { spec, operands }] = [cx.output(total), makes(cx, out)];
  const kernel = cx.kernel(normKernel, {
    x: rowsView(input),
    residual: rowsView(residual),
    sum: rowsView(sum),
    gain: g.dtype,
    eps,
    ...spec,
  });
  cx.launch(kernel, { S: rowsIn(input) }, { x: input, residual, gain: g, sum, ...operands });
};

const two =
  (maker: typeof add): DeviceRule<NodeOf<"add" | "mul" | "swiglu">> =>
  (cx, { operands: [x, y], results: [out] }) => {
    const [a, b, { spec, operands }] = [cx.view(x), cx.view(y), makes(cx, out)];
    const kernel = cx.kernel(maker, { a: rowsView(a), b: rowsView(b), ...spec });
    cx.launch(kernel, { S: rowsIn(a) }, { a, b, ...operands });
  };

const silu: DeviceRule<NodeOf<"silu">> = (cx, { operands: [x], results: [out] }) => {
  const [a, to] = [cx.view(x), cx.output(out)];
  cx.launch(cx.kernel(siluKernel, { a: rowsView(a), out: rowsView(to) }), { S: rowsIn(a) }, { a, out: to });
};

function gated(cx: DeviceContext, x: DeviceView, rows: Extent, { spec, operands }: Made): void {
  const { width, ...whole } = rowsView(x);
  const half = { ...whole, width: width / 2 };
  const second = { ...x, offset: x.offset + width / 2 };
  const kernel = cx.kernel(swigluKernel, { a: half, b: half, ...spec });
  cx.launch(kernel, { S: rows }, { a: x, b: second, ...operands });
}

/** silu(first half) * second half of each of so many rows, into `to`. */
export const gatedHalves = (cx: DeviceContext, x: DeviceView, to: DeviceView, rows: Extent): void =>
  gated(cx, x, rows, { spec: { out: rowsView(to) }, operands: { out: to } });

const swigluPacked: DeviceRule<NodeOf<"swigluPacked">> = (cx, { operands: [x], results: [out] }) => {
  const input = cx.view(x);
  gated(cx, input, rowsIn(input), makes(cx, out));
};

/** Operators of single rows. */
export const rowwiseRules = {
  rmsNorm,
  addRmsNorm,
  add: two(add),
  mul: two(mul),
  swiglu: two(swigluKernel),
  silu,
  swigluPacked,
} as const;
