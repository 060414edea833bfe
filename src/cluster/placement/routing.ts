/** Which experts tokens took, as placement looks at it. */

/** The choices of tokens in one layer of experts: `k` experts of each token, token after token. */
export type LayerRouting = { readonly k: number; readonly choices: Uint16Array };

/** How often each expert was taken. */
export function loadsOf({ choices }: LayerRouting, experts: number): Float64Array {
  const loads = new Float64Array(experts);
  for (const expert of choices) loads[expert] = (loads[expert] ?? 0) + 1;
  return loads;
}

export const tokenCount = ({ k, choices }: LayerRouting): number => choices.length / k;

/**
 * The loads of stretches of the text, as many as asked for, equally long. What is even over a whole text need not be even
 * where it speaks of one thing; stretches tell how loads move.
 */
export function stretchLoads(
  routing: LayerRouting,
  experts: number,
  stretches: number,
): readonly Float64Array[] {
  const tokens = tokenCount(routing);
  const at = (i: number): number => Math.floor((tokens * i) / stretches) * routing.k;
  return Array.from({ length: stretches }, (_, i) =>
    loadsOf({ k: routing.k, choices: routing.choices.subarray(at(i), at(i + 1)) }, experts),
  );
}

/** The sets of experts that tokens took, each once, and how many tokens took it. */
export type RoutedSets = {
  readonly k: number;
  /** `k` experts of each set. */
  readonly experts: Uint16Array;
  readonly tokens: Float64Array;
  readonly allTokens: number;
};

/** The distinct sets among at most `most` tokens, taken evenly from all of them. */
export function routedSets(routing: LayerRouting, most: number): RoutedSets {
  const { k, choices } = routing;
  const tokens = tokenCount(routing);
  const taken = Math.min(tokens, most);
  const counts = new Map<string, { readonly at: number; tokens: number }>();
  for (let i = 0; i < taken; i++) {
    const at = Math.floor((i * tokens) / taken) * k;
    const key = choices
      .slice(at, at + k)
      .sort()
      .join();
    const known = counts.get(key);
    if (known) known.tokens++;
    else counts.set(key, { at, tokens: 1 });
  }
  const experts = new Uint16Array(counts.size * k);
  [...counts.values()].forEach((it, i) => experts.set(choices.subarray(it.at, it.at + k), i * k));
  return {
    k,
    experts,
    tokens: Float64Array.from(counts.values(), (it) => it.tokens),
    allTokens: taken,
  };
}

/**
 * Groups that routers choose within, as the choices tell: the most that divide the experts evenly such that no token has experts of as many groups as it
 * could (DeepSeek's routers take a few groups, then experts of these only). 1 where there are none.
 */
export function groupsIn(layers: readonly LayerRouting[], experts: number): number {
  const sizes = Array.from({ length: Math.max(0, experts - 1) }, (_, i) => i + 1).filter(
    (groups) => groups > 2 && experts % groups === 0,
  );
  const isGrouped = (groups: number): boolean =>
    layers.every((layer) => widest(layer, experts / groups) < Math.min(layer.k, groups));
  return sizes.findLast(isGrouped) ?? 1;
}

/** The most groups of so many experts that a token has some of. */
function widest({ k, choices }: LayerRouting, size: number): number {
  let most = 0;
  const seen = new Set<number>();
  for (let t = 0; t < choices.length && most < k; t += k) {
    seen.clear();
    for (let j = t; j < t + k; j++) seen.add(Math.floor((choices[j] ?? 0) / size));
    most = Math.max(most, seen.size);
  }
  return most;
}
