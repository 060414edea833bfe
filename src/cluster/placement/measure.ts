/** What a placement is judged by. */
import { holders, type LayerMap } from "../expert-map.ts";
import type { LayerRouting } from "./routing.ts";

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

/**
 * How many other nodes a set of experts takes a token to, its home any of `nodes` with the same chance. An expert in one node only takes it there.
 * One in several is had at home, or where the token goes anyway, or else costs a message of its own.
 */
export function setMessages(
  experts: Iterable<number>,
  at: readonly (readonly number[])[],
  nodes: number,
): number {
  const certain = new Set<number>();
  const spread: (readonly number[])[] = [];
  for (const expert of experts) {
    const held = at[expert] ?? [];
    const [only] = held;
    if (held.length === 1 && only !== undefined) certain.add(only);
    else spread.push(held);
  }
  const left = spread.filter((held) => !held.some((node) => certain.has(node)));
  return (
    certain.size * (1 - 1 / nodes) + left.reduce((n, held) => n + Math.max(0, 1 - held.length / nodes), 0)
  );
}

/** Messages between nodes that a token causes on average. `nodes` says the node of each rank. */
export function messagesPerToken(
  layer: LayerMap,
  { k, choices }: LayerRouting,
  experts: number,
  nodes: readonly number[],
): number {
  const at = nodesHolding(layer, experts, nodes);
  const count = new Set(nodes).size;
  let messages = 0;
  for (let t = 0; t < choices.length; t += k) messages += setMessages(choices.subarray(t, t + k), at, count);
  return choices.length === 0 ? 0 : messages / (choices.length / k);
}
