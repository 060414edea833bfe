/** The kernels and exchanges of what follows attention in a layer, on the rank that takes longest. */
import {
  floatLinear,
  kernel,
  linear,
  ownTokens,
  rowwise,
  type LayerContext,
  type Task,
} from "./attention.ts";
import type { Constants } from "../constants.ts";
import type { MixtureShape } from "../decoder.ts";
import { expertRanks, expertsPerRank, routedTokens, stageRanks } from "../layout.ts";
import { floatBytes } from "../precision.ts";

/** A gated feed-forward of `count` equal blocks that `rows` tokens in all meet. */
function gated(cx: LayerContext, name: string, rows: number, inner: number, count: number): readonly Task[] {
  const { shape, precision } = cx;
  const each = Math.ceil(rows / count);
  return [
    linear(`${name} in`, each, 2 * inner, shape.hidden, precision, count),
    rowwise(`${name} gate`, rows * inner * floatBytes * 3),
    linear(`${name} out`, each, shape.hidden, inner, precision, count),
  ];
}

/** A dense layer's feed-forward; its columns are cut between the ranks that share attention. */
export function denseTasks(cx: LayerContext): readonly Task[] {
  const { shape, layout, work } = cx;
  const { tp } = layout.mesh;
  const own = ownTokens(work);
  const among = (name: string): readonly Task[] =>
    tp === 1
      ? []
      : [
          {
            exchange: {
              name,
              ranks: tp,
              stride: 1,
              bytes: own * tp * shape.hidden * floatBytes,
              joins: true,
            },
          },
        ];
  return [
    rowwise("norm", own * shape.hidden * floatBytes * 3),
    ...among("gather tokens"),
    ...gated(cx, "dense", own * tp, shape.inner / tp, 1),
    ...among("scatter sums"),
  ];
}

/** Copies of each token that leave its rank. */
const copies = ({ topK, sharedInner }: MixtureShape, sharedRanks: number): number =>
  topK + (sharedRanks > 0 && sharedInner > 0 ? 1 : 0);

/** Bytes that a rank brings to dispatch and to combine. */
export function exchangedBytes(
  cx: Pick<LayerContext, "shape" | "layout" | "precision">,
  mixture: MixtureShape,
  tokens: number,
  headerBytes: number,
) {
  const rows = tokens * copies(mixture, cx.layout.sharedRanks);
  return {
    rows,
    dispatch: rows * (cx.shape.hidden * cx.precision.sentBytes + headerBytes),
    combine: rows * cx.shape.hidden * floatBytes,
  };
}

/** A layer of experts on the fullest rank, `imbalance` times the mean in tokens. */
export function sparseTasks(
  cx: LayerContext,
  mixture: MixtureShape,
  imbalance: number,
  constants: Constants,
): readonly Task[] {
  const { shape, layout, float, work } = cx;
  const all = ownTokens(work);
  const own = routedTokens(layout, all);
  const ranks = stageRanks(layout);
  const { experts, topK, inner, sharedInner } = mixture;
  const fullest = Math.min(imbalance, expertRanks(layout));
  const routed = (own * ranks * topK * fullest) / expertRanks(layout);
  const sent = exchangedBytes(cx, mixture, own, constants.headerBytes.value);
  const exchange = (name: string, bytes: number): readonly Task[] =>
    ranks === 1 ? [] : [{ exchange: { name, ranks, stride: 1, bytes, joins: false } }];
  const { ep, tp } = layout.mesh;
  const together = {
    name: "gather answers",
    ranks: ep,
    stride: tp,
    bytes: all * shape.hidden * floatBytes,
    joins: true,
  };
  const held = expertsPerRank(layout, experts);
  // A rank of the shared expert has tokens of many ranks; the step waits for whichever rank has most.
  const shared = layout.sharedRanks > 0 ? (own * ranks) / layout.sharedRanks : 0;
  const rows = Math.max(routed, shared);
  const busy = shared > routed ? 1 : Math.max(1, Math.min(held, Math.round(routed)));
  const besides = layout.sharedRanks === 0 && sharedInner > 0;
  return [
    rowwise("norm", all * shape.hidden * floatBytes * 3),
    floatLinear("router", own, experts, shape.hidden, float),
    rowwise("choose", own * experts * 4 * 3),
    ...(ranks === 1 ? [] : [kernel({ name: "send", kind: "rows", rows: sent.rows })]),
    ...exchange("dispatch", sent.dispatch),
    rowwise("sort", rows * shape.hidden * 2 * cx.precision.sentBytes),
    ...(besides ? gated(cx, "shared expert", own, sharedInner, 1) : []),
    ...gated(cx, "experts", rows, inner, busy),
    ...exchange("combine", sent.combine),
    rowwise("sum", sent.combine + own * shape.hidden * floatBytes * 2),
    ...(ep === 1 ? [] : [{ exchange: together }]),
  ];
}
