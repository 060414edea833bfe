import type { NodeOf, Value } from "../../../src/ir/graph.ts";
import type { Extent } from "../../../src/plan/program/program.ts";
import { cast } from "../../../src/tensor/recipe.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import { add, mul, silu as siluKernel, swiglu as swigluKernel } from "../kernels/vector/elementwise.ts";
import { rmsNorm as normKernel } from "../kernels/vector/norm.ts";
import type { DeviceContext, DeviceRule, DeviceView } from "../context.ts";
import { headsView, rowsIn, rowsView } from "./views.ts";

/** A weight as it is stored, of 16 bits in those that the machine has; what no kernel takes in its own dtype is widened. */
export function weightOf(cx: DeviceContext, value: Value | undefined, op: string): DeviceView {
  const recipe =
    cx.recipe(value) ?? fail("target/unsupported-op", undefined, op, "a weight is computed at run time");
  const narrow = cx.precision.operand === "f16" ? "f16" : "bf16";
  return cx.weight(cast(recipe, recipe.dtype === "bf16" ? narrow : "f32"));
}

const rmsNorm: DeviceRule<NodeOf<"rmsNorm">> = (
  cx,
  { operands: [x, gain], results: [out], attrs: { eps } },
) => {
  const [input, g, to] = [cx.view(x), weightOf(cx, gain, "rmsNorm"), cx.output(out)];
  const kernel = cx.kernel(normKernel, { x: headsView(input), gain: g.dtype, eps, out: headsView(to) });
  cx.launch(kernel, { S: rowsIn(input) }, { x: input, gain: g, out: to });
};

const addRmsNorm: DeviceRule<NodeOf<"addRmsNorm">> = (
  cx,
  { operands: [x, y, gain], results: [total, out], attrs: { eps } },
) => {
  const [input, residual, g] = [cx.view(x), cx.view(y), weightOf(cx, gain, "addRmsNorm")];
  const [sum, to] = [cx.output(total), cx.output(out)];
  const kernel = cx.kernel(normKernel, {
    x: rowsView(input),
    residual: rowsView(residual),
    sum: rowsView(sum),
    gain: g.dtype,
    eps,
    out: rowsView(to),
  });
  cx.launch(kernel, { S: rowsIn(input) }, { x: input, residual, gain: g, sum, out: to });
};

const two =
  (maker: typeof add): DeviceRule<NodeOf<"add" | "mul" | "swiglu">> =>
  (cx, { operands: [x, y], results: [out] }) => {
    const [a, b, to] = [cx.view(x), cx.view(y), cx.output(out)];
    const kernel = cx.kernel(maker, { a: rowsView(a), b: rowsView(b), out: rowsView(to) });
    cx.launch(kernel, { S: rowsIn(a) }, { a, b, out: to });
  };

const silu: DeviceRule<NodeOf<"silu">> = (cx, { operands: [x], results: [out] }) => {
  const [a, to] = [cx.view(x), cx.output(out)];
  cx.launch(cx.kernel(siluKernel, { a: rowsView(a), out: rowsView(to) }), { S: rowsIn(a) }, { a, out: to });
};

/** silu(first half) * second half of each of so many rows, into `to`. */
export function gatedHalves(cx: DeviceContext, x: DeviceView, to: DeviceView, rows: Extent): void {
  const { width, ...whole } = rowsView(x);
  const half = { ...whole, width: width / 2 };
  const second = { ...x, offset: x.offset + width / 2 };
  const kernel = cx.kernel(swigluKernel, { a: half, b: half, out: rowsView(to) });
  cx.launch(kernel, { S: rows }, { a: x, b: second, out: to });
}

const swigluPacked: DeviceRule<NodeOf<"swigluPacked">> = (cx, { operands: [x], results: [out] }) => {
  const input = cx.view(x);
  gatedHalves(cx, input, cx.output(out), rowsIn(input));
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
