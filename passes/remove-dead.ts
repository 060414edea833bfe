import type { Node, Value } from "../src/ir/graph.ts";
import { counter, type Pass } from "../src/pass/pass.ts";

/** Drops nodes whose results reach no result of the function. */
export const removeDead: Pass = {
  name: "remove-dead",
  summary: "drop nodes whose values nobody reads",
  scope: "all",
  tolerance: 0,
  rules: ["dead-node"],
  run: (func, enabled = () => true) => {
    const { counts, add } = counter();
    if (!enabled("dead-node")) return { func, counts };
    const live = new Set<Value>(func.results.map((r) => r.value));
    const kept: Node[] = [];
    for (const node of func.body.toReversed()) {
      if (!node.results.some((v) => live.has(v))) continue;
      kept.push(node);
      for (const value of node.operands) live.add(value);
    }
    const dead = func.body.length - kept.length;
    if (dead === 0) return { func, counts };
    add("dead-node", dead);
    return { func: { ...func, body: kept.reverse() }, counts };
  },
};
