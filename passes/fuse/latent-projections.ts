import { isOp, type NodeOf, type Value } from "../../src/ir/graph.ts";
import { edit, type Editor, type Replacement, type Site } from "../../src/pass/edit.ts";
import { counter, type Pass } from "../../src/pass/pass.ts";
import { concat, type Recipe } from "../../src/tensor/recipe.ts";

const ruleName = "sibling-linears";

/** The recipe of a value that is a weight. */
function recipeOf(site: Site, value: Value | undefined): Recipe | undefined {
  const maker = value && site.definition(value);
  return isOp(maker, "weight") ? maker.attrs.recipe : undefined;
}

/** Linears with equal keys can become one; undefined for those that stand alone. */
function kindOf(site: Site, linear: NodeOf<"linear">): string | undefined {
  const [, w, bias] = linear.operands;
  const out = linear.results[0];
  const matrix = recipeOf(site, w);
  if (!matrix || !out) return undefined;
  // Routing is decided by small differences: its logits stay a product of their own, in their own precision.
  if ([...site.readers(out)].some((reader) => reader.op === "router")) return undefined;
  if (!bias) return matrix.dtype;
  const row = recipeOf(site, bias);
  return row && `${matrix.dtype}+${row.dtype}`;
}

/**
 * Several projections of one x become one product, whose result is cut again: q_a and kv_a of latent attention;
 * q, k and v of grouped attention, biases included.
 */
export const fuseLatentProjections: Pass = {
  name: "fuse-latent-projections",
  summary: "linear(x, a), linear(x, b), … ⟶ slices of linear(x, [a; b; …])",
  scope: "all",
  tolerance: 0,
  rules: [ruleName],
  run: (func, enabled = () => true) => {
    const { counts, add } = counter();
    const editor = edit(func);
    const { site } = editor;
    const groups = new Map<Value, Map<string, NodeOf<"linear">[]>>();
    if (enabled(ruleName))
      for (const node of func.body) {
        const x = node.operands[0];
        const kind = isOp(node, "linear") ? kindOf(site, node) : undefined;
        if (!isOp(node, "linear") || !x || kind === undefined) continue;
        const ofX = groups.get(x) ?? new Map<string, NodeOf<"linear">[]>();
        groups.set(x, ofX.set(kind, [...(ofX.get(kind) ?? []), node]));
      }
    for (const siblings of [...groups.values()].flatMap((ofX) => [...ofX.values()])) {
      if (siblings.length < 2) continue;
      fuse(editor, siblings);
      add(ruleName);
    }
    return { func: editor.finish(), counts };
  },
};

function fuse(editor: Editor, found: readonly NodeOf<"linear">[]): void {
  const { site } = editor;
  // Fusing an earlier group may have given these linears another x, and so made them anew.
  const siblings = found
    .map((n) => n.results[0] && site.definition(n.results[0]))
    .filter((n) => isOp(n, "linear"));
  const [first] = siblings;
  const x = first?.operands[0];
  if (!first || !x) return;
  const joined = (operand: number): readonly Value[] => {
    const parts = siblings.map((n) => recipeOf(site, n.operands[operand])).filter((r) => r !== undefined);
    return parts.length === 0 ? [] : [site.make("weight", [], { recipe: concat(parts) })];
  };
  const all = site.make("linear", [x, ...joined(1), ...joined(2)], {});
  const axis = all.type.dims.length - 1;
  let begin = 0;
  const replacements = siblings.flatMap((n): Replacement[] => {
    const out = n.results[0];
    const width = Number(out?.type.dims[axis]);
    const part = site.make("slice", [all], { axis, begin, end: (begin += width) }, n.origin);
    return out ? [[out, part]] : [];
  });
  editor.replace(first, siblings, replacements);
}
