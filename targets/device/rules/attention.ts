import { isOp, type NodeOf } from "../../../src/ir/graph.ts";
import { extentOf, fixed } from "../../../src/plan/views.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import type { DeviceContext, DeviceRule, DeviceView } from "../context.ts";
import { attention as attentionKernel, attentionScores, pitchOf } from "../kernels/attention/attention.ts";
import { isDealt } from "../kernels/attention/dealt.ts";
import { combine } from "../kernels/attention/combine.ts";
import { headsOf } from "../kernels/vector/tile.ts";
import { headsView, rowsIn } from "./views.ts";

/** Whether values are the first columns of the keys, as in a latent cache. */
const isLatent = (k: DeviceView, v: DeviceView): boolean =>
  k.region === v.region && k.offset === v.offset && k.strides.join() === v.strides.join();

/**
 * Keys whose last columns all heads share, left where both parts lie: attention brings them together as it loads them. It is so for many queries of
 * float32, for which the matrix unit takes longer than shorter rows take to come.
 */
export function keysApart(
  cx: DeviceContext,
  { operands, results: [keys], attrs }: NodeOf<"concat">,
): DeviceView | undefined {
  const [reader, another] = cx.consumers(keys);
  const [first, tail, more] = operands.map(cx.view);
  if (!first || !tail || more || another || !isOp(reader, "attention") || attrs.axis !== 2) return undefined;
  const [queries] = reader.operands;
  const isKeysAlone = reader.operands.every((it, i) => (it === keys) === (i === 1));
  if (!isKeysAlone || cx.readers(keys).has("result")) return undefined;
  const isFloat = first.dtype === "f32" && tail.dtype === "f32" && cx.most(extentOf(queries?.type.dims[0] ?? 1)) > 1; // prettier-ignore
  const isShared = tail.dims[1] !== 1 && tail.strides[1] === 0;
  // The second part begins where staged rows have another fractal.
  const isEven = fixed(first.dims[2], "concat") % 16 === 0;
  const [rows = 1, , width = 1] = tail.dims;
  return isFloat && isShared && isEven ? { ...first, tail: { ...tail, dims: [rows, 1, width] } } : undefined;
}

const attention: DeviceRule<NodeOf<"attention">> = (
  cx,
  { operands: [queries, keys, values, mask], results: [result], attrs: { scale } },
) => {
  if (mask) return fail("target/unsupported-op", undefined, "attention", "it has a mask");
  const [q, k, v, out] = [cx.view(queries), cx.view(keys), cx.view(values), cx.output(result)];
  const rows = rowsIn(q);
  const { tail } = k;
  const apart = isLatent(k, v) ? undefined : { v };
  const spec = {
    q: headsView(q),
    k: headsView(k),
    ...(tail && { tail: headsView(tail) }),
    ...(apart && { v: headsView(apart.v) }),
    out: headsView(out),
    scale,
    queries: cx.most(rows),
    sequences: 1,
    keys: cx.positions,
  };
  const tile = cx.attentionTile(spec);
  const sizes = { B: { times: 1, dim: "1" }, S: rows, P: { times: 1, dim: "P" } };
  const taken = { q, k, ...(tail && { tail }), ...apart };
  const kernel = cx.kernel(attentionKernel, spec, tile);
  if (isDealt(tile)) {
    const scores = cx.scratch("scores", "f32", rows, [headsOf(spec.out), pitchOf(spec)]);
    cx.launch(cx.kernel(attentionScores, spec), sizes, { q, k, scores });
    return cx.launch(kernel, sizes, { scores, v, out });
  }
  if (tile.pieces === 1) return cx.launch(kernel, sizes, { ...taken, out });
  const { pieces } = tile;
  const { width } = spec.out;
  const heads = headsOf(spec.out);
  const given = {
    partial: cx.scratch("partial", "f32", rows, [pieces, heads, width]),
    weights: cx.scratch("weights", "f32", rows, [pieces, heads]),
    maxima: cx.scratch("maxima", "f32", rows, [pieces, heads]),
  };
  cx.launch(kernel, sizes, { ...taken, ...given });
  const together = cx.kernel(combine, { pieces, width, out: out.dtype });
  cx.launch(together, { S: { times: rows.times * heads, dim: rows.dim } }, { ...given, out });
};

export const attentionRules = { attention } as const;
