/** What a rank's memory holds in a forecast, in bytes. */
import { hcclBuffSize } from "../hccl.ts";
import { attentionWeights, cachedNumbers, gatedWeights, type DecoderShape } from "./decoder.ts";
import { exchangedBytes } from "./layer/feed-forward.ts";
import {
  expertRanks,
  expertsPerRank,
  headRanks,
  layersPerStage,
  routedTokens,
  stageRanks,
  type Layout,
} from "./layout.ts";
import { floatBytes, type Precision } from "./precision.ts";
import type { StepWork } from "./layer/work.ts";
import type { Constants } from "./constants.ts";

/** Terms by what they are for. */
export type RankMemory = {
  readonly experts: number;
  readonly attention: number;
  /** Dense layers and shared experts. */
  readonly dense: number;
  /** Embedding, head, and what joins a prediction layer. */
  readonly embedding: number;
  readonly cache: number;
  readonly workspace: number;
  readonly communication: number;
};

export const totalBytes = (memory: RankMemory): number => Object.values(memory).reduce((n, it) => n + it, 0);

export type MemoryCase = {
  readonly shape: DecoderShape;
  readonly layout: Layout;
  readonly precision: Precision;
  readonly constants: Constants;
  readonly underWay?: number;
};

/** Weights of the fullest rank: of a stage in the middle, with the layers that take most, and of the last one's head. */
export function weightMemory({ shape, layout, precision }: MemoryCase) {
  const { mesh } = layout;
  const predicted = shape.predictionLayers;
  const layers = layersPerStage(layout, shape);
  const sparse = Math.min(shape.sparseLayers, layers);
  const dense = Math.min(shape.denseLayers, layers - sparse);
  const { mixture, hidden } = shape;
  const stored = (weights: number): number => weights * precision.weightBytes;
  const held = mixture && expertRanks(layout) > 0 ? expertsPerRank(layout, mixture.experts) : 0;
  const shared = mixture && layout.sharedRanks === 0 ? gatedWeights(hidden, mixture.sharedInner) : 0;
  const sparseHere = sparse + (mixture ? predicted : 0);
  return {
    experts: mixture ? stored(sparseHere * held * gatedWeights(hidden, mixture.inner)) : 0,
    attention: stored(((layers + predicted) * attentionWeights(shape.attention, hidden)) / mesh.tp),
    dense:
      stored((dense * gatedWeights(hidden, shape.inner)) / mesh.tp + sparseHere * shared) +
      sparseHere * (mixture?.experts ?? 0) * hidden * floatBytes,
    embedding:
      (floatBytes * 2 * shape.vocab * hidden) / headRanks(layout) +
      predicted * 2 * hidden * hidden * floatBytes,
  };
}

/** Cache of one sequence of `positions` on each rank of its tensor group. */
export function cacheOfSequence({ shape, layout }: MemoryCase, positions: number): number {
  const layers = layersPerStage(layout, shape) + shape.predictionLayers;
  const cut = shape.attention.kind === "grouped" ? Math.min(layout.mesh.tp, shape.attention.kvHeads) : 1;
  return (layers * positions * cachedNumbers(shape.attention) * floatBytes) / cut;
}

/** The largest values that are alive at once in one micro-batch. */
function workspace({ shape, layout }: MemoryCase, tokens: number, imbalance: number): number {
  const { attention, hidden, mixture } = shape;
  const perHead =
    attention.kind === "latent"
      ? 2 * attention.nope + attention.rope + 2 * attention.value
      : 4 * attention.headDim;
  // A tensor group has all its tokens and some of the heads: as much as a rank's own tokens with all of them.
  const attended = tokens * attention.heads * perHead;
  const routed = mixture
    ? (routedTokens(layout, tokens) *
        stageRanks(layout) *
        mixture.topK *
        imbalance *
        (3 * mixture.inner + 2 * hidden)) /
      Math.max(1, expertRanks(layout))
    : (tokens * 3 * shape.inner) / layout.mesh.tp;
  return floatBytes * (4 * tokens * layout.mesh.tp * hidden + Math.max(attended, routed));
}

/** Buffers of dispatch and combine: one for every rank's tokens at every expert in decode, what is sent in prefill. */
function buffers(it: MemoryCase, work: StepWork, tokens: number, imbalance: number): number {
  const { shape, layout, constants } = it;
  const { mixture } = shape;
  const ranks = stageRanks(layout);
  if (!mixture || ranks === 1) return 0;
  const own = routedTokens(layout, tokens);
  if (work.phase === "prefill") {
    const sent = exchangedBytes(it, mixture, own, constants.headerBytes.value);
    return 2 * imbalance * (sent.dispatch + sent.combine);
  }
  const traffic = { tokens: Math.ceil(own), width: shape.hidden, topK: mixture.topK, ranks };
  return 2 ** 20 * hcclBuffSize({ ...traffic, localExperts: expertsPerRank(layout, mixture.experts) });
}

/** All of a rank's memory in a step whose sequences have room for `positions`. */
export function memoryOf(
  it: MemoryCase,
  work: StepWork,
  microBatches: number,
  positions: number,
  imbalance: number,
): RankMemory {
  const { mesh } = it.layout;
  const tokens = (work.sequences * work.tokens) / microBatches;
  return {
    ...weightMemory(it),
    // Every stage of a pipeline has a batch under way.
    cache: work.sequences * mesh.tp * (it.underWay ?? mesh.pp) * cacheOfSequence(it, positions),
    workspace: workspace(it, tokens, imbalance),
    communication: buffers(it, work, tokens, imbalance),
  };
}
