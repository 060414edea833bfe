import type { AttrValue } from "../../src/ir/attributes.ts";
import type { Dim } from "../../src/ir/dim.ts";
import type { Node, Value } from "../../src/ir/graph.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import type { Replacement, Site } from "../../src/pass/edit.ts";
import { finderPass } from "../../src/pass/finder-pass.ts";

/** How an operator works without a first axis of size 1 that its results and its full-rank operands have. */
type Squeeze = (node: Node) => Readonly<Record<string, AttrValue>> | undefined;

const asItIs: Squeeze = ({ attrs }) => attrs;
const axisDown: Squeeze = ({ attrs }) => {
  const axis = Number(attrs["axis"]);
  return axis > 0 ? { ...attrs, axis: axis - 1 } : undefined;
};
const permDown: Squeeze = ({ attrs }) => {
  const perm = attrs["perm"] as readonly number[]; // of transpose
  return perm[0] === 0 ? { perm: perm.slice(1).map((axis) => axis - 1) } : undefined;
};
const dimsDown: Squeeze = ({ attrs }) => ({ ...attrs, dims: (attrs["dims"] as readonly Dim[]).slice(1) });

const squeezes: { readonly [K in OpName]?: Squeeze } = {
  ...Object.fromEntries(
    (
      [
        "add",
        "sub",
        "mul",
        "div",
        "max",
        "min",
        "pow",
        "neg",
        "abs",
        "exp",
        "log",
        "cos",
        "sin",
        "tanh",
        "sqrt",
        "rsqrt",
        "sigmoid",
        "silu",
        "cast",
        "compare",
        "select",
        "rmsNorm",
        "swiglu",
        "softmax",
        "linear",
        "matmul",
        "topK",
      ] as const
    ).map((op) => [op, asItIs]),
  ),
  slice: axisDown,
  concat: axisDown,
  reduceSum: axisDown,
  reduceMean: axisDown,
  reduceMax: axisDown,
  take: axisDown,
  takeAlong: axisDown,
  scatterAlong: axisDown,
  transpose: permDown,
  broadcast: dimsDown,
};

/** Operands that do not take part in broadcasting: the weights of a layer. */
const wholeOperands: { readonly [K in OpName]?: number } = { rmsNorm: 1, linear: 1, take: 1 };

/** The least rank at which an operator still has an axis to give up. */
const leastRank: { readonly [K in OpName]?: number } = {
  matmul: 3,
  linear: 3,
  rmsNorm: 2,
  softmax: 2,
  topK: 2,
};

function squeezed(node: Node, site: Site): readonly Value[] | undefined {
  const attrs = squeezes[node.op]?.(node);
  const rank = node.results[0]?.type.dims.length ?? 0;
  if (!attrs || rank < (leastRank[node.op] ?? 2) || node.results.some((r) => r.type.dims[0] !== 1))
    return undefined;
  const first = wholeOperands[node.op] ?? node.operands.length;
  const operands: Value[] = [];
  for (const [i, value] of node.operands.entries()) {
    const { dims } = value.type;
    const full = dims.length === rank && i < first;
    const broadcasts = i > 0 || squeezes[node.op] === asItIs;
    if (full ? dims[0] !== 1 : !broadcasts) return undefined;
    operands.push(full ? site.make("reshape", [value], { dims: dims.slice(1) }) : value);
  }
  // The attributes are those of the node, their axes one further to the front.
  return site.multi(node.op, operands, attrs as never);
}

/** The node without the axis, and its results with it again. */
function withoutAxis(node: Node, site: Site): readonly Replacement[] | undefined {
  return squeezed(node, site)?.map((by, i) => {
    const old = node.results[i];
    if (!old) throw new Error(`${node.op} has another result`);
    return [old, site.make("reshape", [by], { dims: old.type.dims })];
  });
}

/** Work without first axes of size 1: batches of one sequence, and what broadcasting put in front. */
export const dropUnitAxes = finderPass({
  name: "drop-unit-axes",
  summary: "op(x[1, …]) ⟶ reshape(op(reshape(x)))",
  tolerance: 0,
  finders: { "unit-axis": withoutAxis },
});
