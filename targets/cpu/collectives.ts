import type { Value } from "../../src/ir/graph.ts";
import type { CollectiveName } from "../../src/ir/ops/collective.ts";
import type { Rows } from "../../src/plan/program/program.ts";
import { fail } from "../../src/support/diagnostics.ts";
import type { LoweringContext } from "./lower.ts";
import { extentOf } from "../../src/plan/views.ts";
import { placed, type Rule } from "./steps.ts";

/** The rows of an operand, each one run. */
const read = (cx: LoweringContext, value: Value | undefined): Rows => placed(cx.compactRows(value));
/** Room for the rows of a result. */
const write = (cx: LoweringContext, value: Value | undefined): Rows => placed(cx.output(value));

/** Ranks join and cut rows, or columns of matrices. */
function rowsOrColumns(op: string, axis: number, x: Value | undefined): number {
  const fits = axis === 0 || (axis === 1 && x?.type.dims.length === 2);
  return fits ? axis : fail("target/unsupported-op", undefined, op, `along axis ${axis}`);
}

export const collectives: { readonly [K in CollectiveName]: Rule<K> } = {
  allReduce: (cx, { operands: [x], results: [out], attrs: { group } }) =>
    cx.collect(group, { kind: "allReduce", from: read(cx, x), to: write(cx, out) }),
  reduceScatter: (cx, { operands: [x], results: [out], attrs: { group, axis, begin } }) =>
    cx.collect(group, {
      kind: "reduceScatter",
      axis: rowsOrColumns("reduceScatter", axis, x),
      begin: extentOf(begin),
      from: read(cx, x),
      to: write(cx, out),
    }),
  allGather: (cx, { operands: [x], results: [out], attrs: { group, axis } }) =>
    cx.collect(group, {
      kind: "allGather",
      axis: rowsOrColumns("allGather", axis, x),
      from: read(cx, x),
      to: write(cx, out),
    }),
  dispatch: (cx, { operands: [x, indices, weights], results, attrs: { group, held, starts, count } }) => {
    const [rows, slots, shares, from] = results;
    cx.collect(group, {
      kind: "dispatch",
      held,
      starts,
      count: String(count),
      x: read(cx, x),
      indices: read(cx, indices),
      weights: read(cx, weights),
      rows: write(cx, rows),
      slots: write(cx, slots),
      shares: write(cx, shares),
      from: write(cx, from),
    });
  },
  combine: (cx, { operands: [rows, from], results: [out], attrs: { group } }) =>
    cx.collect(group, { kind: "combine", rows: read(cx, rows), from: read(cx, from), to: write(cx, out) }),
  send: (cx, { operands: [x], results: [out], attrs: { group } }) => {
    cx.collect(group, { kind: "send", from: read(cx, x) });
    cx.bind(out, cx.view(x));
  },
  recv: (cx, { results: [out], attrs: { group } }) => cx.collect(group, { kind: "recv", to: write(cx, out) }),
};
