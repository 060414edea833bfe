/** Placing a model's experts by recorded routing, and judging placements. */
import type { LayerMap } from "../../cluster/expert-map.ts";
import { fullestOverMean, messagesPerToken } from "../../cluster/placement/measure.ts";
import { effortFor, placeLayer, type Placing } from "../../cluster/placement/place.ts";
import {
  loadsOf,
  routedSets,
  stretchLoads,
  type LayerRouting,
  type RoutedSets,
} from "../../cluster/placement/routing.ts";
import type { Evidence } from "../../cluster/placement/trial.ts";
import { fail } from "../../support/diagnostics.ts";
import type { Routing } from "./routing-file.ts";

/** Stretches that loads are evened out in. */
const stretches = 24;

/** What a layer's routing tells of where to place its experts. */
export const evidenceOf = (layer: LayerRouting, experts: number): Evidence => ({
  loads: loadsOf(layer, experts),
  stretches: stretchLoads(layer, experts, stretches),
  sets: routedSets(layer, effortFor(experts).tokens),
});

/** The same where nothing is searched for: other policies look at loads only. */
const loadsAlone = (layer: LayerRouting, experts: number): Evidence => ({
  loads: loadsOf(layer, experts),
  stretches: [],
});

/** The layers of some texts, one behind the other; of all where none is named. Throws `route/no-text`. */
export function layersOf({ texts }: Routing, names: readonly string[]): readonly LayerRouting[] {
  const chosen = (names.length > 0 ? names : [...texts.keys()]).map(
    (name) => texts.get(name) ?? fail("route/no-text", undefined, name, [...texts.keys()]),
  );
  return (chosen[0] ?? []).map(({ k }, layer) => {
    const parts = chosen.map((it) => it[layer]?.choices ?? new Uint16Array());
    const choices = new Uint16Array(parts.reduce((n, it) => n + it.length, 0));
    let at = 0;
    for (const part of parts) {
      choices.set(part, at);
      at += part.length;
    }
    return { k, choices };
  });
}

/** Place every layer. `onLayer` hears of each one done. */
export function placeLayers(
  layers: readonly LayerRouting[],
  experts: number,
  placing: Placing,
  onLayer: (done: number) => void = () => {},
): readonly LayerMap[] {
  const evidence = placing.policy === "search" ? evidenceOf : loadsAlone;
  return layers.map((layer, i) => {
    const placed = placeLayer(evidence(layer, experts), placing);
    onLayer(i + 1);
    return placed;
  });
}

/** How a placement does on a text: geometric mean over layers of the fullest device over the mean, and messages a token and layer. */
export type Judged = { readonly fullestOverMean: number; readonly messagesPerToken: number };

/** What a placement of a layer is judged by: how often each expert was taken, and which together. */
export type Heard = { readonly loads: ArrayLike<number>; readonly sets: RoutedSets };

/** All that a text's routing tells. */
export const heardFrom = (layers: readonly LayerRouting[], experts: number): readonly Heard[] =>
  layers.map((layer) => ({ loads: loadsOf(layer, experts), sets: routedSets(layer, Infinity) }));

export function judgePlacement(
  placed: readonly LayerMap[],
  text: readonly Heard[],
  nodes: readonly number[],
): Judged {
  let [logs, messages] = [0, 0];
  text.forEach(({ loads, sets }, i) => {
    const map = placed[i] ?? [];
    logs += Math.log(fullestOverMean(map, loads));
    messages += messagesPerToken(map, sets, nodes);
  });
  const n = Math.max(1, text.length);
  return { fullestOverMean: Math.exp(logs / n), messagesPerToken: messages / n };
}
