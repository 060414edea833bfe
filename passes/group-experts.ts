import { isOp, type Func, type Node, type NodeOf, type Value } from "../src/ir/graph.ts";
import { sameType } from "../src/ir/types.ts";
import { edit, type Editor, type Site } from "../src/pass/edit.ts";
import { counter, type Pass } from "../src/pass/pass.ts";
import { concat, stack, type Recipe } from "../src/tensor/recipe.ts";

const ruleName = "expert-sum";

type Expert = NodeOf<"expert">;

/** A maximal tree of adds whose inner sums nobody else reads, in the order of the body. */
type SumTree = { readonly root: Node; readonly adds: readonly Node[]; readonly leaves: readonly Value[] };

/** The add that alone reads the only result of `node`, if adding does not change its type. */
function soleAdder(site: Site, node: Node): Node | undefined {
  const [out] = node.results;
  if (!out || site.isResult(out)) return undefined;
  const [reader, ...more] = site.readers(out);
  if (!isOp(reader, "add") || more.length > 0 || reader.operands[0] === reader.operands[1]) return undefined;
  return reader.results[0] && sameType(out.type, reader.results[0].type) ? reader : undefined;
}

/** All sum trees that hold an expert. One walk from the back: each add already knows the tree of its reader. */
function sumTrees(func: Func, site: Site): readonly SumTree[] {
  type Draft = { readonly root: Node; readonly adds: Node[]; readonly leaves: Value[]; hasExpert: boolean };
  const treeOf = new Map<Node, Draft>();
  const drafts: Draft[] = [];
  for (const node of func.body.toReversed()) {
    if (node.op !== "add" && node.op !== "expert") continue;
    const reader = soleAdder(site, node);
    let tree = reader && treeOf.get(reader);
    if (!tree) drafts.push((tree = { root: node, adds: [], leaves: [], hasExpert: false }));
    if (node.op === "expert") {
      tree.hasExpert = true;
      tree.leaves.push(...node.results);
      continue;
    }
    treeOf.set(node, tree);
    tree.adds.push(node);
  }
  return drafts.filter((t) => t.hasExpert).map((t) => ({ ...t, adds: t.adds.reverse() }));
}

/** How many experts the router chooses from; unknown where the indices come from elsewhere. */
function expertCount(site: Site, indices: Value): number | undefined {
  const router = site.definition(indices);
  const count = isOp(router, "router") ? router.operands[0]?.type.dims[1] : undefined;
  return typeof count === "number" ? count : undefined;
}

/** The experts of a tree that read the same x, indices and weights. */
function groupsOf(tree: SumTree, site: Site): readonly (readonly Expert[])[] {
  const groups = new Map<Value, Map<Value, Map<Value, Expert[]>>>();
  const found: Expert[][] = [];
  for (const leaf of tree.leaves) {
    const node = site.definition(leaf);
    const [x, indices, weights] = node?.operands ?? [];
    if (!isOp(node, "expert") || !x || !indices || !weights) continue;
    const byIndices = groups.get(x) ?? new Map<Value, Map<Value, Expert[]>>();
    const byWeights = byIndices.get(indices) ?? new Map<Value, Expert[]>();
    groups.set(x, byIndices.set(indices, byWeights));
    const group = byWeights.get(weights) ?? [];
    if (group.length === 0) found.push(group);
    byWeights.set(weights, group);
    group.push(node);
  }
  return found;
}

type Matrices = { readonly gateUp: Recipe; readonly down: Recipe };

/** The stacked weights of experts in order of index, or undefined where they cannot be stacked. */
function stackWeights(site: Site, group: readonly Expert[]): Matrices | undefined {
  const indices = group[0]?.operands[1];
  if (!indices || expertCount(site, indices) !== group.length) return undefined;
  const inOrder = group.toSorted((a, b) => a.attrs.index - b.attrs.index);
  if (inOrder.some((n, i) => n.attrs.index !== i)) return undefined;
  const recipes = inOrder.map((n) =>
    n.operands.slice(3).flatMap((v) => {
      const maker = site.definition(v);
      return isOp(maker, "weight") ? [maker.attrs.recipe] : [];
    }),
  );
  const kind = (of: readonly Recipe[]) => of.map((r) => `${r.dtype}[${r.shape.join()}]`).join();
  const [first] = recipes;
  if (!first || first.length !== 3 || first[0]?.dtype !== first[1]?.dtype) return undefined;
  if (recipes.some((of) => kind(of) !== kind(first))) return undefined;
  return {
    gateUp: stack(recipes.map((of) => concat(of.slice(0, 2)))),
    down: stack(recipes.flatMap((of) => of.slice(2))),
  };
}

/** The sum with the experts' leaves gone but for the first, in whose place the whole group stands. */
function rewriteTree(editor: Editor, tree: SumTree): number {
  const { site } = editor;
  const standIns = new Map<Value, Value | undefined>();
  const covered: Node[] = [];
  let fired = 0;
  for (const group of groupsOf(tree, site)) {
    const stacked = stackWeights(site, group);
    const operands = group[0]?.operands.slice(0, 3);
    if (!stacked || !operands) continue;
    const gateUp = site.make("weight", [], { recipe: stacked.gateUp });
    const down = site.make("weight", [], { recipe: stacked.down });
    const whole = site.make("experts", [...operands, gateUp, down], {});
    group.forEach((n, i) => n.results.forEach((v) => standIns.set(v, i === 0 ? whole : undefined)));
    const weights = group.flatMap((n) => n.operands.slice(3)).map((v) => site.definition(v));
    covered.push(...group, ...weights.filter((n) => n !== undefined));
    fired++;
  }
  if (fired === 0) return 0;
  const current = (v: Value | undefined) => (v && standIns.has(v) ? standIns.get(v) : v);
  for (const add of tree.adds) {
    const [a, b] = [current(add.operands[0]), current(add.operands[1])];
    const [out] = add.results;
    if (!out || (a === add.operands[0] && b === add.operands[1])) continue;
    covered.push(add);
    standIns.set(out, a && b ? site.make("add", [a, b], {}) : (a ?? b));
  }
  const [old] = tree.root.results;
  const by = current(old);
  if (!old || !by) throw new Error("a sum of experts lost its root");
  editor.replace(tree.root, covered, [[old, by]]);
  return fired;
}

/**
 * A sum of all experts of one router becomes one operator over stacked weights, which runs only the chosen ones.
 * Other addends stay where they stand.
 */
export const groupExperts: Pass = {
  name: "group-experts",
  summary: "expert 0 + expert 1 + … + expert E-1 ⟶ experts over stacked weights",
  scope: "all",
  tolerance: 1e-5,
  rules: [ruleName],
  run: (func, enabled = () => true) => {
    const { counts, add } = counter();
    if (!enabled(ruleName)) return { func, counts };
    const editor = edit(func);
    // The trees come from the back of the body, so that a rewrite touches only trees that are done.
    for (const tree of sumTrees(func, editor.site)) {
      const fired = rewriteTree(editor, tree);
      if (fired > 0) add(ruleName, fired);
    }
    return { func: editor.finish(), counts };
  },
};
