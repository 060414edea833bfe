import type { Module } from "../ir/graph.ts";
import { isOp } from "../ir/graph.ts";

/** A router of a model and how it chooses. */
export type RouterFacts = {
  readonly at: string;
  readonly experts: number;
  readonly topK: number;
  readonly scoring: string;
  readonly groups: number;
  readonly topGroups: number;
};

/** The routed experts of a layer. */
export type ExpertFacts = {
  readonly at: string;
  readonly experts: number;
  readonly inner: number;
  readonly width: number;
};

/** What structured operators a module has. */
export type Structure = {
  readonly operators: Readonly<Record<string, number>>;
  readonly routers: readonly RouterFacts[];
  readonly experts: readonly ExpertFacts[];
};

/** Count a module's operators and describe its routers and experts. */
export function structureOf(module: Module): Structure {
  const operators: Record<string, number> = {};
  const routers: RouterFacts[] = [];
  const experts: ExpertFacts[] = [];
  for (const node of module.funcs.flatMap((f) => f.body)) {
    operators[node.op] = (operators[node.op] ?? 0) + 1;
    const at = node.origin[0] ?? "";
    if (isOp(node, "router")) {
      const { topK, scoring, groups, topGroups } = node.attrs;
      routers.push({ at, experts: Number(node.operands[0]?.type.dims[1]), topK, scoring, groups, topGroups });
    }
    if (isOp(node, "experts")) {
      const [count = 0, width = 0, inner = 0] = (node.operands[4]?.type.dims ?? []).map(Number);
      experts.push({ at, experts: count, inner, width });
    }
  }
  return { operators, routers, experts };
}
