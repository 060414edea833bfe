/** Every layout of a pool of devices that holds the model, with every batch that fits. Deterministic: lists in, lists out. */
import type { Mesh } from "../mesh.ts";
import type { DecoderShape } from "./decoder.ts";
import { layerCount } from "./decoder.ts";
import { forecastOf, type Forecast, type ForecastCase } from "./forecast.ts";
import { expertRanks, stageRanks, type Layout } from "./layout.ts";
import { totalBytes, weightMemory } from "./memory.ts";
import type { Phase } from "./layer/work.ts";

const powers = (most: number): readonly number[] =>
  Array.from({ length: Math.floor(Math.log2(most)) + 1 }, (_, i) => 2 ** i);

/** Sizes that stages are tried in: a power of two, three or five of them, and whole fractions of the pool. */
function stageSizes(devices: number): readonly number[] {
  const round = powers(devices).flatMap((n) => [n, 3 * n, 5 * n]);
  const fractions = [1, 2, 3, 4].map((n) => devices / n);
  const sizes = [...round, ...fractions].filter((n) => Number.isInteger(n) && n <= devices);
  return [...new Set(sizes)].toSorted((a, b) => a - b);
}

/** Most ranks that share the heads of one layer, and most stages, that are worth trying. */
const mostTensorRanks = 32;
const mostStages = 8;
/** One rank in so many holds the shared expert where experts lie one to a rank (CloudMatrix384: 32 of 320). */
const sharedShare = 10;

/** The layouts of so many devices. Ranks that share tokens (ep) do the same attention several times, and are not tried. */
export function layoutsOf(
  { attention, mixture, ...shape }: DecoderShape,
  devices: number,
): readonly Layout[] {
  const layers = layerCount({ attention, ...shape });
  return powers(Math.min(mostStages, devices)).flatMap((pp) =>
    stageSizes(Math.floor(devices / pp)).flatMap((ranks) =>
      powers(Math.min(mostTensorRanks, ranks)).flatMap((tp): readonly Layout[] => {
        if (ranks % tp > 0 || attention.heads % tp > 0 || pp > layers) return [];
        const mesh = { pp, dp: ranks / tp, ep: 1, tp };
        if (!mixture) return mesh.dp === 1 ? [{ mesh, redundantExperts: 0, sharedRanks: 0 }] : [];
        const apart =
          ranks > mixture.experts && mixture.sharedInner > 0 ? [Math.round(ranks / sharedShare)] : [];
        return [0, ...apart].map((sharedRanks) => ({ mesh, redundantExperts: filling(mixture.experts, ranks - sharedRanks), sharedRanks })); // prettier-ignore
      }),
    ),
  );
}

/** The layout of a mesh that was asked for. */
export const layoutOfMesh = ({ mixture }: DecoderShape, mesh: Mesh, redundantExperts: number): Layout => ({
  mesh,
  redundantExperts: redundantExperts || (mixture ? filling(mixture.experts, mesh.dp * mesh.ep * mesh.tp) : 0),
  sharedRanks: 0,
});

/** Redundant experts that give every rank as many as the fullest. */
const filling = (experts: number, ranks: number): number => Math.ceil(experts / ranks) * ranks - experts;

/** Batches that are tried, in sequences of a tensor group. */
export const batches = powers(1024).flatMap((n) => (n > 1 ? [n, 1.5 * n] : [n]));

/** Bytes of a device that a model may fill. */
export const usableBytes = ({ profile, machine }: ForecastCase): number =>
  profile.memory.capacity.value * machine.constants.memoryUse.value;

/** Every layout and batch of one phase that fits the devices' memory. */
export function forecastsOf(it: ForecastCase, phase: Phase, layouts: readonly Layout[]): readonly Forecast[] {
  const limit = usableBytes(it);
  return layouts.flatMap((layout) => {
    const weights = Object.values(weightMemory({ ...it, layout, constants: it.machine.constants }));
    if (weights.reduce((a, b) => a + b, 0) > limit || expertRanks(layout) < 1) return [];
    const found: Forecast[] = [];
    for (const batch of batches) {
      const sequences = batch / layout.mesh.tp;
      const both = [1, 2]
        .filter((microBatches) => batch >= microBatches)
        .map((microBatches) => forecastOf(it, { phase, layout, sequences, microBatches }))
        .filter((forecast) => totalBytes(forecast.memory) <= limit);
      if (both.length === 0) break;
      found.push(...both);
      if (phase === "prefill" && sequences * it.demand.promptLength > mostPrefillTokens) break;
    }
    return found;
  });
}

/** Tokens of one rank beyond which a larger batch of prompts gains nothing. */
const mostPrefillTokens = 32768;

/** Those that no other beats in both tokens a second and latency, fastest first. */
export function frontier(forecasts: readonly Forecast[]): readonly Forecast[] {
  const sorted = forecasts.toSorted(
    (a, b) =>
      a.latency - b.latency ||
      b.tokensPerSecond - a.tokensPerSecond ||
      stageRanks(a.layout) - stageRanks(b.layout),
  );
  let best = 0;
  return sorted.filter(({ tokensPerSecond }) => {
    const better = tokensPerSecond > best;
    best = Math.max(best, tokensPerSecond);
    return better;
  });
}
