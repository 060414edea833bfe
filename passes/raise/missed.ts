import { isOp, type Func, type Node, type Value } from "../../src/ir/graph.ts";
import { edit, type Site } from "../../src/pass/edit.ts";

/** Something that looks like a structured operator and was not raised to it, and the operator that stood in the way. */
export type Missed = {
  readonly what: "attention" | "router" | "experts";
  /** Where it ends, by the names of the imported graph. */
  readonly at: string;
  /** What broke the match: an operator and where it stands, or why a proof failed. */
  readonly because: string;
};

const nameOf = (node: Node): string => node.origin[0] ?? node.op;
const stands = (node: Node): string => `${node.op} (${nameOf(node)})`;

/** The first operator on the way back from a value that is not among those a match goes through. */
function breaker(
  site: Site,
  value: Value | undefined,
  through: readonly string[],
  end: readonly string[],
): Node | undefined {
  const queue = value ? [value] : [];
  const seen = new Set<Node>();
  for (let at = queue.shift(); at && seen.size < 64; at = queue.shift()) {
    const node = site.definition(at);
    if (!node || seen.has(node) || end.includes(node.op)) continue;
    seen.add(node);
    if (!through.includes(node.op)) return node;
    const [first] = node.operands;
    if (first) queue.push(first);
  }
  return undefined;
}

const movements = ["reshape", "broadcast", "transpose", "cast", "slice", "concat", "constant", "weight"];

function missedAttention(node: Node, site: Site): Missed | undefined {
  const softmax = node.operands[0] && site.definition(node.operands[0]);
  if (!isOp(node, "matmul") || !isOp(softmax, "softmax")) return undefined;
  const found = breaker(site, softmax.operands[0], ["add", "mul", "div", "select", ...movements], ["matmul"]);
  const rank = node.results[0]?.type.dims.length ?? 0;
  const because = found
    ? stands(found)
    : rank !== 3
      ? `a batch: ${stands(node)} has rank ${rank}`
      : `${stands(softmax)}: its operands do not prove to be queries, keys and a mask`;
  return { what: "attention", at: nameOf(node), because };
}

function missedRouter(node: Node, site: Site): Missed | undefined {
  if (!isOp(node, "topK") || node.operands[0]?.type.dims.length !== 2) return undefined;
  const through = ["add", "mul", "select", "max", "min", ...movements];
  const found = breaker(site, node.operands[0], through, ["softmax", "sigmoid"]);
  const because = found ? stands(found) : `${stands(node)}: what it chooses and weighs is no router's`;
  return { what: "router", at: nameOf(node), because };
}

function missedExperts(node: Node, site: Site): Missed | undefined {
  const [stack, index] = node.operands;
  if (!isOp(node, "take") || stack?.type.dims.length !== 3 || site.definition(stack)?.op !== "weight")
    return undefined;
  const found = breaker(site, index, movements, ["router"]);
  return {
    what: "experts",
    at: nameOf(node),
    because: found ? stands(found) : `${stands(node)}: what follows is no gated layer`,
  };
}

/** What was not raised, and why. */
export function missed(func: Func): readonly Missed[] {
  const { site } = edit(func);
  return func.body.flatMap(
    (node) => missedAttention(node, site) ?? missedRouter(node, site) ?? missedExperts(node, site) ?? [],
  );
}
