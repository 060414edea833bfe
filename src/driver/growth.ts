import { storedForm } from "../plan/stored-weight.ts";
import type { WeightRequest } from "../plan/weights.ts";
import { fail } from "../support/diagnostics.ts";
import { bytes as sized } from "../support/text.ts";
import { displayName } from "../tensor/dtype.ts";

const termsShown = 4;

/** The weights that take most, those of all layers and experts together: `model.layers.*.mlp.down_proj.weight as I8 30.0 MiB`. */
function largestTerms(weights: readonly WeightRequest[]): readonly string[] {
  const terms = new Map<string, number>();
  for (const weight of weights) {
    const { dtype, bytes } = storedForm(weight);
    const name = weight.name.replace(/(\+\d+)?:.*$/, "").replaceAll(/(?<=\.)\d+(?=\.)/g, "*");
    const term = `${name} as ${displayName(dtype)}`;
    terms.set(term, (terms.get(term) ?? 0) + bytes);
  }
  return [...terms]
    .sort(([, a], [, b]) => b - a)
    .slice(0, termsShown)
    .map(([term, bytes]) => `${term} ${sized(bytes)}`);
}

/**
 * Throws `quant/not-smaller` where the weights of a plan take as many bytes as the tensors of its model or more: whoever quantizes wants
 * less. What the plan leaves aside, such as multi-token prediction, counts for the model, as it lies on the user's disk.
 */
export function refuseGrowth(weights: readonly WeightRequest[], modelBytes: number): void {
  const planBytes = weights.reduce((n, w) => n + storedForm(w).bytes, 0);
  if (planBytes >= modelBytes)
    fail("quant/not-smaller", undefined, sized(planBytes), sized(modelBytes), largestTerms(weights));
}
