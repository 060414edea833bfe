/** What goes through one expert group of an Ascend cluster at once. */
export type ExpertTraffic = {
  /** The most tokens that a rank dispatches in one call. */
  readonly tokens: number;
  /** Elements of a token, two bytes each. */
  readonly width: number;
  /** Experts a token goes to. */
  readonly topK: number;
  readonly ranks: number;
  /** The most experts that a rank holds. */
  readonly localExperts: number;
};

const mebibyte = 2 ** 20;
const align = (n: number, to: number): number => Math.ceil(n / to) * to;

/** What HCCL reserves where nothing is said, in MB. */
const byDefault = 200;

/**
 * The HCCL_BUFFSIZE that dispatch and combine need, in MB: room for every token from every rank at every local expert and for
 * all answers, twice. Tokens begin at 512 bytes; a dispatched one carries 44 bytes of scale and indices. As the tiling of CANN's
 * MoeDistributeDispatch checks it, and as vllm-ascend pull request 5287 states it.
 */
export function hcclBuffSize({ tokens, width, topK, ranks, localExperts }: ExpertTraffic): number {
  const dispatched = align(align(2 * width, 32) + 44, 512);
  const combined = align(2 * width, 512);
  const bytes = 2 * (tokens * dispatched * ranks * localExperts + tokens * combined * topK);
  return Math.max(byDefault, Math.floor(bytes / mebibyte) + 1);
}
