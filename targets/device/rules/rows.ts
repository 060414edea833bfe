import type { NodeOf } from "../../../src/ir/graph.ts";
import { fixed, sliceView } from "../../../src/plan/views.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import type { Recipe } from "../../../src/tensor/recipe.ts";
import type { DeviceRule, DeviceView } from "../context.ts";
import { appendRows, copyRows, gatherRows, type CopySpec } from "../kernels/vector/copy.ts";
import { rope as ropeKernel, rotationTable } from "../kernels/vector/rope.ts";
import { alike, headsView, rowsIn, rowsView } from "./views.ts";
import { weightOf } from "./rowwise.ts";

const gather: DeviceRule<NodeOf<"gather">> = (cx, { operands: [entries, ids], results: [result] }) => {
  const [table, wanted, out] = [weightOf(cx, entries, "gather"), cx.view(ids), cx.output(result)];
  const spec = { table: table.dtype, entries: fixed(table.dims[0], "gather"), out: rowsView(out) };
  cx.launch(cx.kernel(gatherRows, spec), { S: rowsIn(out) }, { table, ids: wanted, out });
};

/** A copy between two views of one shape. */
function moved(a: DeviceView, b: DeviceView): CopySpec {
  const [from, to] = alike([a, b]);
  if (!from || !to) throw new Error("two views are two");
  return { from, to };
}

const concat: DeviceRule<NodeOf<"concat">> = (cx, { operands, results: [result], attrs: { axis } }) => {
  const whole = cx.output(result);
  let at = 0;
  for (const part of operands) {
    const from = cx.view(part);
    const size = fixed(from.dims[axis], "concat");
    const to = { ...whole, ...sliceView(whole, axis, at, at + size) };
    cx.launch(cx.kernel(copyRows, moved(from, to)), { S: rowsIn(from) }, { from, to });
    at += size;
  }
};

const cacheAppend: DeviceRule<NodeOf<"cacheAppend">> = (
  cx,
  { operands: [cache, rows], results: [result] },
) => {
  const from = cx.view(rows);
  const to = cx.cache(cache, result?.type.dims ?? []);
  const kernel = cx.kernel(appendRows, moved(from, to));
  cx.launch(kernel, { S: rowsIn(from), P: { times: 1, dim: "P" } }, { from, to });
  cx.bind(result, to);
};

const numbersOf = (recipe: Recipe | undefined): readonly number[] =>
  recipe?.kind === "literal" ? recipe.values : fail("target/unsupported-op", undefined, "rope", "its frequencies are no constants"); // prettier-ignore

const rope: DeviceRule<NodeOf<"rope">> = (
  cx,
  { operands: [x, positions, invFreq], results: [result], attrs: { pairs, scale } },
) => {
  const [input, at] = [cx.view(x), cx.view(positions)];
  const out = cx.output(result, input.dtype);
  const frequencies = numbersOf(cx.recipe(invFreq));
  const table = cx.table(`rotary ${pairs} ${scale} ${cx.positions} ${frequencies.join()}`, () => {
    const values = rotationTable(frequencies, cx.positions, pairs, scale);
    return { shape: [cx.positions, values.length / cx.positions], values };
  });
  const spec = { x: headsView(input), out: headsView(out), pairs, positions: cx.positions };
  cx.launch(cx.kernel(ropeKernel, spec), { S: rowsIn(input) }, { x: input, positions: at, table, out });
};

/** Operators that bring rows to where they are wanted, and turn them. */
export const rowRules = { gather, concat, cacheAppend, rope } as const;
