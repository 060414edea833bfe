import type { NodeOf } from "../../../src/ir/graph.ts";
import { fail } from "../../../src/support/diagnostics.ts";
import type { DeviceRule, DeviceView } from "../context.ts";
import { attention as attentionKernel } from "../kernels/attention/attention.ts";
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
  const spec = { q: headsView(q), k: headsView(k), out: headsView(out), scale, queries: cx.most(rows) };
  const sizes = { B: { times: 1, dim: "1" }, S: rows, P: { times: 1, dim: "P" } };
  if (isLatent(k, v)) cx.launch(cx.kernel(attentionKernel, spec), sizes, { q, k, out });
  else cx.launch(cx.kernel(attentionKernel, { ...spec, v: headsView(v) }), sizes, { q, k, v, out });
};

export const attentionRules = { attention } as const;
