/** The sizes of a checkpoint's decoder, for forecasts. */
import type { DecoderShape } from "../../cluster/model/decoder.ts";
import type { ModelConfig } from "../../frontend/deepseek/config.ts";

export function shapeOf(config: ModelConfig): DecoderShape {
  const { attention, mixture, heads, layers } = config;
  const sparseLayers = mixture?.isSparse.filter(Boolean).length ?? 0;
  return {
    vocab: config.vocab,
    hidden: config.hidden,
    inner: config.inner,
    denseLayers: layers - sparseLayers,
    sparseLayers,
    attention:
      attention.kind === "latent"
        ? { kind: "latent", heads, qRank: attention.qRank, kvRank: attention.kvRank, nope: attention.nope, rope: attention.rope, value: attention.value } // prettier-ignore
        : { kind: "grouped", heads, kvHeads: attention.kvHeads, headDim: attention.headDim },
    ...(mixture && {
      mixture: {
        experts: mixture.experts,
        topK: mixture.routing.topK,
        inner: mixture.inner,
        sharedInner: mixture.shared * mixture.inner,
      },
    }),
    predictionLayers: config.predictionLayers,
    predictsMore: config.predictionLayers > 0,
  };
}
