/** How ranks share a decoder, as a forecast counts it. */
import { formatMesh, type Mesh } from "../mesh.ts";
import type { DecoderShape } from "./decoder.ts";
import { layerCount } from "./decoder.ts";

/**
 * Attention is cut between `tp` ranks by heads; each of `dp` groups has sequences of its own, on `ep` such cuts alike, which share the
 * tokens of a mixture. Experts lie whole on all `dp * ep * tp` ranks of a stage, dispatched to from all of them.
 */
export type Layout = {
  readonly mesh: Mesh;
  /** Experts of each layer that are held once more. */
  readonly redundantExperts: number;
  /** Ranks that hold the shared expert and no other; 0: every rank holds it beside its own. */
  readonly sharedRanks: number;
};

/** Ranks of one stage: those that exchange tokens. */
export const stageRanks = ({ mesh }: Layout): number => mesh.dp * mesh.ep * mesh.tp;

/** Tokens that a rank routes, of those that it has attention for. */
export const routedTokens = ({ mesh }: Layout, tokens: number): number => tokens / mesh.ep;

/** Ranks that hold routed experts. */
export const expertRanks = (layout: Layout): number => stageRanks(layout) - layout.sharedRanks;

/** Routed experts of a layer on the fullest rank. */
export const expertsPerRank = (layout: Layout, experts: number): number =>
  Math.ceil((experts + layout.redundantExperts) / expertRanks(layout));

/** Most ranks that the head is cut between: more gain little. */
const mostHeadRanks = 16;

/** Ranks that embedding and head are cut between, whatever attention does (vllm-ascend, lmhead_tensor_parallel_size). */
export const headRanks = (layout: Layout): number => {
  const ranks = stageRanks(layout);
  let cut = Math.min(mostHeadRanks, ranks);
  while (ranks % cut) cut--;
  return cut;
};

/** Layers of the longest stage. */
export const layersPerStage = ({ mesh }: Layout, shape: DecoderShape): number =>
  Math.ceil(layerCount(shape) / mesh.pp);

/** A layout in words: `dp320 + 32 redundant + 32 shared`. */
export function formatLayout({ mesh, redundantExperts, sharedRanks }: Layout): string {
  const more = [
    ...(redundantExperts > 0 ? [`${redundantExperts} redundant`] : []),
    ...(sharedRanks > 0 ? [`${sharedRanks} shared`] : []),
  ];
  return [formatMesh(mesh), ...more].join(" + ");
}
