import type { NodeOf, Value } from "../../../src/ir/graph.ts";
import type { CollectiveName } from "../../../src/ir/ops/collective.ts";
import type { Rows } from "../../../src/plan/program/program.ts";
import { extentOf } from "../../../src/plan/views.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import type { DeviceContext, DeviceRule, DeviceView } from "../context.ts";
import { rowsIn, rowsView } from "./views.ts";

/** The rows of a view, in elements. */
function placed(view: DeviceView): Rows {
  const { region, offset, skip } = view;
  if (view.in !== "buffer") return refused("a collective", "it reads no buffer");
  const { width, rowStride = width } = rowsView(view);
  return { buffer: region, offset, ...(skip && { skip }), rows: rowsIn(view), width, stride: rowStride };
}

const refused = (op: string, why: string): never => fail("target/unsupported-op", undefined, op, why);

/** Ranks join and cut rows, or columns of matrices. */
function rowsOrColumns(op: string, axis: number, x: Value | undefined): number {
  const fits = axis === 0 || (axis === 1 && x?.type.dims.length === 2);
  return fits ? axis : refused(op, `along axis ${axis}`);
}

/** The rows of an operand, and room for those of a result, kept as they are. */
function through(cx: DeviceContext, x: Value | undefined, out: Value | undefined) {
  const from = cx.view(x);
  return { from: placed(from), to: placed(cx.output(out, from.dtype)) };
}

const dispatch: DeviceRule<NodeOf<"dispatch">> = (
  cx,
  { operands: [x, indices, weights], results: [rows, slots, shares, from], attrs },
) => {
  const input = cx.view(x);
  const { group, held, starts, count } = attrs;
  const arrived = cx.output(rows, input.dtype);
  const local = cx.output(slots);
  cx.collect(group, {
    kind: "dispatch",
    held,
    starts,
    count: String(count),
    x: placed(input),
    indices: placed(cx.view(indices)),
    weights: placed(cx.view(weights)),
    rows: placed(arrived),
    slots: placed(local),
    shares: placed(cx.output(shares, "f32")),
    from: placed(cx.output(from)),
  });
  cx.bind(rows, { ...arrived, ...(input.rotation && { rotation: input.rotation }) });
  cx.bind(slots, { ...local, partial: true });
};

/** What ranks do together is a step of its own between launches. */
export const collectiveRules: { readonly [K in CollectiveName]: DeviceRule<NodeOf<K>> } = {
  allReduce: (cx, { operands: [x], results: [out], attrs: { group } }) =>
    cx.collect(group, { kind: "allReduce", ...through(cx, x, out) }),
  reduceScatter: (cx, { operands: [x], results: [out], attrs: { group, axis, begin } }) =>
    cx.collect(group, {
      kind: "reduceScatter",
      axis: rowsOrColumns("reduceScatter", axis, x),
      begin: extentOf(begin),
      ...through(cx, x, out),
    }),
  allGather: (cx, { operands: [x], results: [out], attrs: { group, axis } }) =>
    cx.collect(group, {
      kind: "allGather",
      axis: rowsOrColumns("allGather", axis, x),
      ...through(cx, x, out),
    }),
  dispatch,
  combine: (cx, { operands: [rows, from], results: [out], attrs: { group } }) => {
    const own = through(cx, rows, out);
    cx.collect(group, { kind: "combine", rows: own.from, from: placed(cx.view(from)), to: own.to });
  },
  send: (cx, { operands: [x], results: [out], attrs: { group } }) => {
    const view = cx.view(x);
    cx.collect(group, { kind: "send", from: placed(view) });
    cx.bind(out, view);
  },
  recv: (cx, { results: [out], attrs: { group } }) =>
    cx.collect(group, { kind: "recv", to: placed(cx.output(out)) }),
};
