import { isOp, type Node, type NodeOf, type Value } from "../../src/ir/graph.ts";
import type { OpAttrs } from "../../src/ir/ops/index.ts";
import type { Replacement, Site } from "../../src/pass/edit.ts";
import { finderPass } from "../../src/pass/finder-pass.ts";
import { same } from "../../src/pass/prove.ts";

/** What a choice of experts is made from: scores of the logits, and what is added to them for choosing only. */
type Scores = { readonly logits: Value; readonly scoring: "softmax" | "sigmoid"; readonly value: Value };

type Groups = Pick<OpAttrs<"router">, "groups" | "topGroups" | "groupScore">;
const oneGroup: Groups = { groups: 1, topGroups: 1, groupScore: "max" };

const makerOf = (site: Site, value: Value | undefined): Node | undefined => value && site.definition(value);

/** All nodes behind a value up to `stop`, nearest first; parameters and weights end the walk. */
function behind(site: Site, value: Value, stop: Value): readonly Node[] {
  const seen = new Set<Node>();
  const queue = [value];
  for (let at = queue.shift(); at; at = queue.shift()) {
    const maker = at === stop ? undefined : site.definition(at);
    if (!maker || seen.has(maker)) continue;
    seen.add(maker);
    queue.push(...maker.operands);
  }
  return [...seen];
}

/** The scores a choice rests on: the nearest softmax or sigmoid of [tokens, experts] behind it. */
function scoresBehind(site: Site, choice: Value): Scores | undefined {
  const queue = [choice];
  const seen = new Set<Value>();
  for (let at = queue.shift(); at && seen.size < 64; at = queue.shift()) {
    if (seen.has(at)) continue;
    seen.add(at);
    const maker = site.definition(at);
    const [logits] = maker?.operands ?? [];
    if (logits && (maker?.op === "softmax" || maker?.op === "sigmoid") && at.type.dims.length === 2)
      return { logits, scoring: maker.op, value: at };
    queue.push(...(maker?.operands ?? []));
  }
  return undefined;
}

/** Something added to the scores, one number for each expert. */
function biasAmong(nodes: readonly Node[], scores: Value): Value | undefined {
  const sum = nodes.find((n) => n.op === "add" && n.operands.includes(scores));
  const bias = sum?.operands.find((v) => v !== scores);
  const experts = scores.type.dims[1];
  return bias && bias.type.dims.at(-1) === experts && bias.type.dims.slice(0, -1).every((d) => d === 1)
    ? bias
    : undefined;
}

/** How groups narrow the choice, told by the top-k over groups among the nodes behind it. */
function groupsAmong(nodes: readonly Node[], site: Site): Groups | undefined {
  const inner = nodes.filter((n) => isOp(n, "topK"));
  const overGroups = inner.find(
    (n) =>
      n.operands[0]?.type.dims.length === 2 &&
      site.readers(n.results[1] ?? { type: { dtype: "i32", dims: [] } }).size > 0,
  );
  if (!overGroups) return inner.length === 0 ? oneGroup : undefined;
  const groups = overGroups.operands[0]?.type.dims[1];
  const topGroups = overGroups.attrs.k;
  if (typeof groups !== "number" || typeof topGroups !== "number") return undefined;
  const two = inner.some((n) => n !== overGroups && n.attrs.k === 2);
  return { groups, topGroups, groupScore: two ? "top2" : "max" };
}

/** The weights of the chosen, and what was done to them: divided by their sum, multiplied by a number. */
function weightsOf(
  site: Site,
  first: Value,
): { readonly value: Value; readonly normalize: boolean; readonly scale: number } {
  let [value, normalize, scale] = [first, false, 1];
  const readers = (): readonly Node[] => [...site.readers(value)];
  const quotient = readers().find(
    (n) => n.op === "div" && n.operands[0] === value && sumsOf(site, n.operands[1], value),
  );
  if (quotient?.results[0]) [value, normalize] = [quotient.results[0], true];
  const product = readers().find((n) => n.op === "mul" && scalarBeside(site, n, value) !== undefined);
  if (product?.results[0]) [value, scale] = [product.results[0], scalarBeside(site, product, value) ?? 1];
  return { value, normalize, scale };
}

/** Whether a value is the sum of another along its last axis, but for something small added. */
function sumsOf(site: Site, sum: Value | undefined, of: Value): boolean {
  const maker = makerOf(site, sum);
  if (isOp(maker, "reduceSum")) return maker.operands[0] === of;
  return (
    (maker?.op === "add" || maker?.op === "broadcast" || maker?.op === "reshape") &&
    sumsOf(site, maker.operands[0], of)
  );
}

function scalarBeside(site: Site, product: Node, value: Value): number | undefined {
  const other = product.operands.find((v) => v !== value);
  const maker = makerOf(site, other);
  return isOp(maker, "constant") && maker.attrs.values.length === 1 ? maker.attrs.values[0] : undefined;
}

/** The first form of the chosen experts' weights: their scores by index, or the values of the top-k itself. */
function firstWeights(site: Site, choice: NodeOf<"topK">, scores: Scores): Value | undefined {
  const [values, indices] = choice.results;
  if (!values || !indices) return undefined;
  const picked = [...site.readers(indices)].find(
    (n) => n.op === "takeAlong" && n.operands[0] === scores.value,
  );
  if (picked) return picked.results[0];
  return site.readers(values).size > 0 ? values : undefined;
}

function raised(node: Node, site: Site): readonly Replacement[] | undefined {
  const [choice] = node.operands;
  if (!isOp(node, "topK") || !choice || choice.type.dims.length !== 2 || typeof node.attrs.k !== "number")
    return undefined;
  const scores = scoresBehind(site, choice);
  if (!scores || scores.value.type.dims[1] !== choice.type.dims[1]) return undefined;
  const nodes = behind(site, choice, scores.value);
  const groups = groupsAmong(nodes, site);
  const first = firstWeights(site, node, scores);
  const [, indices] = node.results;
  if (!groups || !first || !indices) return undefined;
  const { value, normalize, scale } = weightsOf(site, first);
  const found = biasAmong(nodes, scores.value);
  const bias =
    found && found.type.dims.length > 1
      ? site.make("reshape", [found], { dims: found.type.dims.slice(-1) })
      : found;
  const [newIndices, newWeights] = site.multi("router", bias ? [scores.logits, bias] : [scores.logits], {
    topK: node.attrs.k,
    scoring: scores.scoring,
    ...groups,
    normalize,
    scale,
  });
  if (!newIndices || !newWeights) throw new Error("router has two results");
  const given = [{ value: scores.logits }, ...(found ? [{ value: found, within: 0.1 }] : [])];
  if (same(site, given, [indices, value], [newIndices, newWeights]) !== true) return undefined;
  return [
    [indices, newIndices],
    [value, newWeights],
  ];
}

/** Finds the router: what chooses experts by score, whatever narrows the choice, proved on made-up logits. */
export const raiseRouter = finderPass({
  name: "raise-router",
  summary: "topK of softmax or sigmoid scores ⟶ router(logits, bias)",
  tolerance: 1e-4,
  finders: { router: raised },
});
