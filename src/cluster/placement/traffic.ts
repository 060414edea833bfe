/** The messages that a placement under search causes, kept up as experts move between nodes. */
import { copiesOver } from "../../ir/copies.ts";
import type { RoutedSets } from "./routing.ts";

/** Messages between nodes per token, its copies chosen as dispatches choose them. */
export type Traffic = {
  /** A change begins: what came before stands. */
  readonly begin: () => void;
  /** An expert gains a copy in a node, or loses one. */
  readonly shift: (expert: number, node: number, by: 1 | -1) => void;
  /** Tokens whose messages the shifts may change, over all. */
  readonly touched: () => number;
  /** Reckon the sets of experts that were shifted anew. */
  readonly update: () => void;
  /** Bring back what `update` changed since the change began; the shifts are undone by their opposites. */
  readonly revert: () => void;
  readonly perToken: () => number;
};

/** Begin with the nodes of every expert, as often as they hold it. */
export function trafficOf(sets: RoutedSets, start: readonly (readonly number[])[], nodes: number): Traffic {
  const { k } = sets;
  const experts = start.length;
  const lists = Array.from({ length: experts }, (): number[] => []);
  sets.experts.forEach((expert, i) => lists[expert]?.push(Math.floor(i / k)));
  const setsOf = lists.map((it) => Int32Array.from(it));
  const tokensOf = setsOf.map((own) => own.reduce((n, set) => n + (sets.tokens[set] ?? 0), 0));
  const counts = new Int32Array(experts * nodes);
  const copies = copiesOver(experts, nodes);
  const cost = new Float64Array(sets.tokens.length);
  let total = 0;
  const moved: number[] = [];
  const changed: number[] = [];
  const before: number[] = [];

  const at: number[] = [];
  const locate = (expert: number): void => {
    at.length = 0;
    for (let n = 0; n < nodes; n++) if ((counts[expert * nodes + n] ?? 0) > 0) at.push(n);
    copies.locate(expert, at);
  };
  const shift = (expert: number, node: number, by: 1 | -1): void => {
    const had = counts[expert * nodes + node] ?? 0;
    counts[expert * nodes + node] = had + by;
    if (had > 0 === had + by > 0) return;
    locate(expert);
    if (!moved.includes(expert)) moved.push(expert);
  };
  const renew = (set: number): void => {
    const old = cost[set] ?? 0;
    const now = copies.messages(sets.experts, set * k, k) * (sets.tokens[set] ?? 0);
    if (now === old) return;
    changed.push(set);
    before.push(old);
    total += now - old;
    cost[set] = now;
  };
  start.forEach((held, expert) => {
    for (const node of held) counts[expert * nodes + node] = (counts[expert * nodes + node] ?? 0) + 1;
    locate(expert);
  });
  cost.forEach((_, set) => renew(set));
  return {
    begin: () => {
      moved.length = changed.length = before.length = 0;
    },
    shift,
    touched: () => {
      let tokens = 0;
      for (const expert of moved) tokens += tokensOf[expert] ?? 0;
      return sets.allTokens > 0 ? tokens / sets.allTokens : 0;
    },
    update: () => {
      for (const expert of moved) {
        const own = setsOf[expert];
        for (let i = 0; own && i < own.length; i++) renew(own[i] ?? 0);
      }
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
