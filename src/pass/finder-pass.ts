import type { Node, Value } from "../ir/graph.ts";
import { edit, type Editor, type Replacement, type Site } from "./edit.ts";
import { counter, type Pass } from "./pass.ts";

/**
 * Looks at one node and gives what takes its place: a value for its only result, pairs of old and new, or undefined. What it made
 * on the way to nothing is forgotten.
 */
export type Finder = (node: Node, site: Site) => Value | readonly Replacement[] | undefined;

type FinderPass = Pick<Pass, "name" | "summary" | "tolerance"> & {
  /** By the names of the rules, in the order in which they are tried. */
  readonly finders: Readonly<Record<string, Finder>>;
};

function replacements(node: Node, found: Value | readonly Replacement[]): readonly Replacement[] {
  if (!("type" in found)) return found;
  const [result] = node.results;
  return result ? [[result, found]] : [];
}

/** The rule that found something in the place of a node, which is replaced then. */
function fire(
  node: Node,
  editor: Editor,
  finders: readonly (readonly [string, Finder])[],
): string | undefined {
  for (const [name, find] of finders) {
    const found = find(node, editor.site);
    if (found) {
      editor.replace(node, [node], replacements(node, found));
      return name;
    }
    editor.abandon();
  }
  return undefined;
}

/** A pass for matches that no pattern can say: each node is shown to the finders once. */
export function finderPass({ name, summary, tolerance, finders }: FinderPass): Pass {
  return {
    name,
    summary,
    scope: "all",
    tolerance,
    rules: Object.keys(finders),
    run: (func, enabled = () => true) => {
      const { counts, add } = counter();
      const active = Object.entries(finders).filter(([rule]) => enabled(rule));
      if (active.length === 0) return { func, counts };
      const editor = edit(func);
      editor.walk((node) => {
        const fired = fire(node, editor, active);
        if (fired !== undefined) add(fired);
      });
      return { func: editor.finish(), counts };
    },
  };
}
