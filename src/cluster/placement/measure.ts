/** What a placement is judged by. */
import { copiesOver } from "../../ir/copies.ts";
import { holders, type LayerMap } from "../expert-map.ts";
import type { RoutedSets } from "./routing.ts";

/** The load of each device: an expert's tokens are shared evenly by its copies. */
export function deviceLoads(layer: LayerMap, loads: ArrayLike<number>): readonly number[] {
  const copies = holders(layer, loads.length).map((it) => it.length);
  return layer.map((held) => held.reduce((n, e) => n + (loads[e] ?? 0) / (copies[e] ?? 1), 0));
}

/** The fullest device over the mean: 1 where all are equal. It is how much longer than need be a step of experts takes. */
export function fullestOverMean(layer: LayerMap, loads: ArrayLike<number>): number {
  const onDevices = deviceLoads(layer, loads);
  const mean = onDevices.reduce((a, b) => a + b, 0) / onDevices.length;
  return mean > 0 ? Math.max(...onDevices) / mean : 1;
}

/** The nodes that hold each expert, each once. */
export const nodesHolding = (
  layer: LayerMap,
  experts: number,
  nodes: readonly number[],
): readonly (readonly number[])[] =>
  holders(layer, experts).map((ranks) => [...new Set(ranks.map((rank) => nodes[rank] ?? 0))]);

/** Messages between nodes that a token causes on average, its copies chosen as dispatches choose them. `nodes` says the node of each rank. */
export function messagesPerToken(
  layer: LayerMap,
  { k, experts, tokens, allTokens }: RoutedSets,
  nodes: readonly number[],
): number {
  const at = nodesHolding(layer, Math.max(-1, ...layer.flat()) + 1, nodes);
  const copies = copiesOver(at.length, new Set(nodes).size);
  at.forEach((held, expert) => copies.locate(expert, held));
  let messages = 0;
  tokens.forEach((times, set) => (messages += times * copies.messages(experts, set * k, k)));
  return allTokens === 0 ? 0 : messages / allTokens;
}
