import { isOp, type Node, type Value } from "../../ir/graph.ts";
import type { Recipe } from "../../tensor/recipe.ts";

/** An activation that quantized matrices multiply: the rows of x, each matrix [out, in] with `in` the first columns of a row. */
export type DenseTap = { readonly kind: "dense"; readonly x: Value; readonly weight: Value };

/** Rows of which each goes to its chosen experts: x [S, in], or [S, k, in] with a row of its own for each choice. */
export type RoutedTap = {
  readonly kind: "routed";
  readonly x: Value;
  readonly indices: Value;
  readonly shares: Value;
  readonly weight: Value;
};

export type Tap = DenseTap | RoutedTap;

/** Nodes to add to a segment so that its taps can be read, and the taps. */
export type Tapped = { readonly nodes: readonly Node[]; readonly taps: readonly Tap[] };

/** The rows that a cache took in, whose first columns latent attention multiplies with its weight. */
function appended(nodes: readonly Node[], cache: Value | undefined): Value | undefined {
  const maker = nodes.find((n) => cache && n.results.includes(cache));
  return isOp(maker, "cacheAppend") ? maker.operands[1] : cache;
}

/** What the products of a segment multiply. `make` adds a node whose result is the hidden activation of experts. */
export function tapsOf(
  nodes: readonly Node[],
  hiddenOf: (x: Value, indices: Value, gateUp: Value) => Value,
): readonly Tap[] {
  return nodes.flatMap((node): readonly Tap[] => {
    const [a, b, c, d, e] = node.operands;
    if (isOp(node, "linear") && a && b) return [{ kind: "dense", x: a, weight: b }];
    if (isOp(node, "latentAttention") && d) {
      const x = appended(nodes, c);
      return x ? [{ kind: "dense", x, weight: d }] : [];
    }
    if (isOp(node, "experts") && a && b && c && d && e)
      return [
        { kind: "routed", x: a, indices: b, shares: c, weight: d },
        { kind: "routed", x: hiddenOf(a, b, d), indices: b, shares: c, weight: e },
      ];
    return [];
  });
}

/** The matrices of a weight in the order of their rows. */
export type Matrices = readonly Recipe[];
