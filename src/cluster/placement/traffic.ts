/** The messages that a placement under search causes, kept up as experts move between nodes. */
import type { RoutedSets } from "./routing.ts";

/** Messages between nodes per token, by the rule of `setMessages` in measure.ts. */
export type Traffic = {
  /** An expert gains a copy in a node, or loses one; `update` must follow. */
  readonly shift: (expert: number, node: number, by: 1 | -1) => void;
  /** Reckon the sets that hold either expert anew. What `revert` brings back is the time before. */
  readonly update: (a: number, b: number) => void;
  /** Bring back what the last `update` changed; the shifts must have been undone. */
  readonly revert: () => void;
  readonly perToken: () => number;
};

/** Begin with the nodes of every expert, as often as they hold it. */
export function trafficOf(sets: RoutedSets, start: readonly (readonly number[])[], nodes: number): Traffic {
  const { k } = sets;
  const experts = start.length;
  const setsOf = Array.from({ length: experts }, (): number[] => []);
  sets.experts.forEach((expert, i) => setsOf[expert]?.push(Math.floor(i / k)));
  const copies = new Int32Array(experts * nodes);
  /** The nodes that hold an expert, packed to the front of its row, and how many they are. */
  const row = new Int32Array(experts * nodes);
  const spread = new Int32Array(experts);
  const cost = new Float64Array(sets.tokens.length);
  /** In which round each node was last seen; a round is one set's. */
  const seen = new Int32Array(nodes).fill(-1);
  let round = 0;
  let total = 0;
  const changed: number[] = [];
  const before: number[] = [];

  const locate = (expert: number): void => {
    let count = 0;
    for (let n = 0; n < nodes; n++)
      if ((copies[expert * nodes + n] ?? 0) > 0) row[expert * nodes + count++] = n;
    spread[expert] = count;
  };
  /** Whether a token that goes to the nodes of this round meets the expert there. */
  const isMet = (expert: number, wide: number): boolean => {
    for (let i = expert * nodes; i < expert * nodes + wide; i++) if (seen[row[i] ?? 0] === round) return true;
    return false;
  };
  const messagesOf = (set: number): number => {
    round++;
    let certain = 0;
    let flexible = false;
    for (let i = set * k; i < set * k + k; i++) {
      const expert = sets.experts[i] ?? 0;
      const node = row[expert * nodes] ?? 0;
      if (spread[expert] !== 1) flexible = true;
      else if (seen[node] !== round) {
        seen[node] = round;
        certain++;
      }
    }
    let messages = certain * (1 - 1 / nodes);
    if (!flexible) return messages;
    for (let i = set * k; i < set * k + k; i++) {
      const expert = sets.experts[i] ?? 0;
      const wide = spread[expert] ?? 1;
      if (wide > 1 && wide < nodes && !isMet(expert, wide)) messages += 1 - wide / nodes;
    }
    return messages;
  };
  const renew = (set: number): void => {
    const old = cost[set] ?? 0;
    const now = messagesOf(set) * (sets.tokens[set] ?? 0);
    if (now === old) return;
    changed.push(set);
    before.push(old);
    total += now - old;
    cost[set] = now;
  };
  start.forEach((held, expert) => {
    for (const node of held) copies[expert * nodes + node] = (copies[expert * nodes + node] ?? 0) + 1;
    locate(expert);
  });
  cost.forEach((_, set) => renew(set));
  return {
    shift: (expert, node, by) => {
      copies[expert * nodes + node] = (copies[expert * nodes + node] ?? 0) + by;
      locate(expert);
    },
    update: (a, b) => {
      changed.length = before.length = 0;
      for (const set of setsOf[a] ?? []) renew(set);
      for (const set of setsOf[b] ?? []) renew(set);
    },
    revert: () => {
      for (let i = changed.length - 1; i >= 0; i--) {
        const set = changed[i] ?? 0;
        total += (before[i] ?? 0) - (cost[set] ?? 0);
        cost[set] = before[i] ?? 0;
      }
      changed.length = before.length = 0;
    },
    perToken: () => (sets.allTokens > 0 ? total / sets.allTokens : 0),
  };
}
