/**
 * Which rank holds which experts. A map is what `moec place` writes, what `moec compile --placement` takes, and what the
 * sharding pass places experts by.
 */
import * as v from "valibot";
import { fail } from "../support/diagnostics.ts";
import { parseJson } from "../support/parse-json.ts";

/** The experts of each rank, by rank: logical numbers in the order of the rank's slots. Ranks may hold different numbers of them. */
export type LayerMap = readonly (readonly number[])[];

export type ExpertMap = {
  /** Routed experts of a layer. */
  readonly experts: number;
  readonly ranks: number;
  /** One for each layer of experts, in order; dense layers are not counted. */
  readonly layers: readonly LayerMap[];
};

export const expertMapFormat = "moec-expert-map";

const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const count = v.pipe(v.number(), v.integer(), v.minValue(1));

/** The form of the file. `note` says how the map was made and is for people. */
export const expertMapSchema = v.strictObject({
  format: v.literal(expertMapFormat),
  version: v.literal(1),
  note: v.optional(v.string()),
  experts: count,
  ranks: count,
  layers: v.array(v.array(v.array(whole))),
});

/** Read a map. Throws `cluster/expert-map`, naming the place, where it is malformed or leaves an expert out. */
export function parseExpertMap(text: string, file: string): ExpertMap {
  const wrong = (pointer: string, why: string): never =>
    fail("cluster/expert-map", { kind: "json", file, pointer }, why);
  const { experts, ranks, layers } = parseJson(expertMapSchema, text, wrong);
  layers.forEach((layer, l) => {
    if (layer.length !== ranks) wrong(`/layers/${l}`, `it has ${layer.length} ranks, expected ${ranks}`);
    layer.forEach((held, r) => {
      const stranger = held.findIndex((it) => it >= experts);
      if (stranger >= 0)
        wrong(`/layers/${l}/${r}/${stranger}`, `there is no expert ${held[stranger]} of ${experts}`);
    });
    const held = new Set(layer.flat());
    if (held.size === experts) return;
    const missing = Array.from({ length: experts }, (_, e) => e).filter((e) => !held.has(e));
    wrong(`/layers/${l}`, `no rank holds expert ${missing.join(", ")}`);
  });
  return { experts, ranks, layers };
}

/** A map as the text of its file, a layer to a line. */
export function formatExpertMap({ experts, ranks, layers }: ExpertMap, note: string): string {
  const head = { format: expertMapFormat, version: 1, note, experts, ranks };
  const lines = layers.map((layer) => JSON.stringify(layer)).join(",\n");
  return `${JSON.stringify(head).slice(0, -1)},"layers":[\n${lines}\n]}\n`;
}

/**
 * Experts in order, then the first of them once more as redundant ones, cut into runs of equal length as far as they
 * go: what vLLM lays out where nothing is said. Runs differ by one where the ranks do not divide the slots.
 */
export function layerInOrder(experts: number, ranks: number, redundant: number): LayerMap {
  const slots = experts + redundant;
  const start = (rank: number): number => Math.floor((slots * rank) / ranks);
  return Array.from({ length: ranks }, (_, rank) =>
    Array.from({ length: start(rank + 1) - start(rank) }, (_, i) => (start(rank) + i) % experts),
  );
}

/** The ranks that hold each expert, in ascending order; a rank comes as often as it holds the expert. */
export function holders(layer: LayerMap, experts: number): readonly (readonly number[])[] {
  const byExpert = Array.from({ length: experts }, (): number[] => []);
  layer.forEach((held, rank) => held.forEach((expert) => byExpert[expert]?.push(rank)));
  return byExpert;
}

/**
 * A map in the form that vllm-ascend reads (`expert_map_path` of its `eplb_config`). Throws `cluster/uneven` where ranks hold different
 * numbers of experts, which it does not take.
 */
export function formatVllmAscendMap({ ranks, layers }: ExpertMap): string {
  const counts = new Set(layers.flatMap((layer) => layer.map((held) => held.length)));
  if (counts.size > 1) fail("cluster/uneven", undefined, Math.min(...counts), Math.max(...counts));
  const list = layers.map((layer, i) => ({
    layer_id: i,
    device_count: ranks,
    device_list: layer.map((held, rank) => ({ device_id: rank, device_expert: held })),
  }));
  return `${JSON.stringify({ moe_layer_count: layers.length, layer_list: list })}\n`;
}
