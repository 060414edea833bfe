import type { NodeOf } from "../../../src/ir/graph.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import type { DeviceRule, DeviceView } from "../context.ts";
import { attention as attentionKernel, attentionScores, pitchOf } from "../kernels/attention/attention.ts";
import { isDealt } from "../kernels/attention/dealt.ts";
import { combine } from "../kernels/attention/combine.ts";
import { headsOf } from "../kernels/vector/tile.ts";
import { headsView, rowsIn } from "./views.ts";

/** Whether values are the first columns of the keys, as in a latent cache. */
const isLatent = (k: DeviceView, v: DeviceView): boolean =>
  k.region === v.region && k.offset === v.offset && k.strides.join() === v.strides.join();

const attention: DeviceRule<NodeOf<"attention">> = (
  cx,
  { operands: [queries, keys, values, mask], results: [result], attrs: { scale } },
) => {
  if (mask) return fail("target/unsupported-op", undefined, "attention", "it has a mask");
  const [q, k, v, out] = [cx.view(queries), cx.view(keys), cx.view(values), cx.output(result)];
  const rows = rowsIn(q);
  const apart = isLatent(k, v) ? undefined : { v };
  const spec = {
    q: headsView(q),
    k: headsView(k),
    ...(apart && { v: headsView(apart.v) }),
    out: headsView(out),
    scale,
    queries: cx.most(rows),
    sequences: 1,
    keys: cx.positions,
  };
  const tile = cx.attentionTile(spec);
  const sizes = { B: { times: 1, dim: "1" }, S: rows, P: { times: 1, dim: "P" } };
  const taken = { q, k, ...apart };
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
