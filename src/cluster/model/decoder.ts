/** A decoder as a forecast sees it: the sizes that its work and its memory follow from. */

/** Attention over one latent vector a token (DeepSeek-V2), or over grouped keys and values. */
export type AttentionShape =
  | {
      readonly kind: "latent";
      readonly heads: number;
      /** 0: queries come straight from the hidden state. */
      readonly qRank: number;
      readonly kvRank: number;
      readonly nope: number;
      readonly rope: number;
      readonly value: number;
    }
  | {
      readonly kind: "grouped";
      readonly heads: number;
      readonly kvHeads: number;
      readonly headDim: number;
    };

export type MixtureShape = {
  readonly experts: number;
  readonly topK: number;
  /** Inner columns of one routed expert. */
  readonly inner: number;
  /** Inner columns of the shared expert; 0 where there is none. */
  readonly sharedInner: number;
};

export type DecoderShape = {
  readonly vocab: number;
  readonly hidden: number;
  /** Inner columns of a dense layer. */
  readonly inner: number;
  readonly denseLayers: number;
  readonly sparseLayers: number;
  readonly attention: AttentionShape;
  readonly mixture?: MixtureShape;
  /** Layers behind the last one that each predict one token more. */
  readonly predictionLayers: number;
  /** Whether the model has such layers, here or, in a run of its layers, behind them. */
  readonly predictsMore: boolean;
};

export const layerCount = ({ denseLayers, sparseLayers }: DecoderShape): number => denseLayers + sparseLayers;

/** `count` layers from layer `begin` on; the last run has the prediction layers. Embedding and head count for every run. */
export function layersOf(shape: DecoderShape, begin: number, count: number): DecoderShape {
  const denseLayers = Math.max(0, Math.min(shape.denseLayers, begin + count) - begin);
  const isLast = begin + count === layerCount(shape);
  return {
    ...shape,
    denseLayers,
    sparseLayers: count - denseLayers,
    predictionLayers: isLast ? shape.predictionLayers : 0,
  };
}

/** Numbers that the cache keeps of one token in one layer. */
export const cachedNumbers = (it: AttentionShape): number =>
  it.kind === "latent" ? it.kvRank + it.rope : 2 * it.kvHeads * it.headDim;

/** Weights of the linear layers of one attention. */
export function attentionWeights(it: AttentionShape, hidden: number): number {
  if (it.kind === "grouped") return hidden * it.headDim * (2 * it.heads + 2 * it.kvHeads);
  const { heads, qRank, kvRank, nope, rope, value } = it;
  const query = heads * (nope + rope);
  const down = hidden * (qRank + kvRank + rope);
  return down + (qRank || hidden) * query + kvRank * heads * (nope + value) + heads * value * hidden;
}

/** Weights of one gated feed-forward of `inner` columns. */
export const gatedWeights = (hidden: number, inner: number): number => 3 * hidden * inner;
