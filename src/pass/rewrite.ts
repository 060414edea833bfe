import type { Func, Node, Value } from "../ir/graph.ts";
import type { OpName } from "../ir/ops/index.ts";
import { edit, type Editor, type Replacement, type Site } from "./edit.ts";
import { counter, type Pass, type Scope } from "./pass.ts";
import { matchNode, type Match, type Pattern } from "./pattern.ts";

/** What a rule makes: one value for the root's only result, or pairs of old and new; undefined for "not here". */
export type Rewritten = Value | readonly Replacement[] | undefined;

type RuleDefinition<C> = {
  readonly name: string;
  /** `before ⟶ after`. */
  readonly doc: string;
  readonly match: Pattern<C>;
  readonly when?: (captures: C, site: Site) => boolean;
  readonly rewrite: (captures: C, site: Site) => Rewritten;
};

/** A rule with the types of its captures forgotten. */
export type Rule = {
  readonly name: string;
  readonly doc: string;
  readonly root: OpName;
  readonly match: Pattern;
  readonly apply: (match: Match, site: Site) => Rewritten;
};

/** Define a rule. Its functions see exactly the captures that its pattern binds. */
export function rule<C>(definition: RuleDefinition<C>): Rule {
  const { name, doc, match, when, rewrite } = definition;
  if (match.kind !== "op") throw new Error(`rule ${name} has no operator at its root`);
  return {
    name,
    doc,
    root: match.op,
    match,
    apply: (found, site) => {
      const captures = Object.fromEntries(found.bindings) as C; // C was inferred from the very pattern that bound these
      return when && !when(captures, site) ? undefined : rewrite(captures, site);
    },
  };
}

const maxSweeps = 64;

/** A pass that applies rules until none fires. */
export function rulePass(
  name: string,
  summary: string,
  rules: readonly Rule[],
  settings: { readonly scope?: Scope; readonly tolerance?: number } = {},
): Pass {
  return {
    name,
    summary,
    scope: settings.scope ?? "all",
    tolerance: settings.tolerance ?? 0,
    rules: rules.map((r) => r.name),
    run: (func, enabled = () => true) =>
      applyRules(
        func,
        rules.filter((r) => enabled(r.name)),
      ),
  };
}

/** Apply rules, operands before readers, sweep after sweep until a fixpoint. */
export function applyRules(func: Func, rules: readonly Rule[]) {
  const byRoot = Map.groupBy(rules, (r) => r.root);
  const editor = edit(func);
  const { counts, add } = counter();
  for (let sweep = 0; ; sweep++) {
    const fired = new Set<string>();
    editor.walk((node) => {
      const found = byRoot.get(node.op)?.find((r) => tryRule(r, node, editor));
      if (!found) return;
      fired.add(found.name);
      add(found.name);
    });
    if (fired.size === 0) return { func: editor.finish(), counts };
    if (sweep === maxSweeps) throw new Error(`rules do not come to an end: ${[...fired].join(", ")}`);
  }
}

function tryRule(tried: Rule, root: Node, editor: Editor): boolean {
  const { site } = editor;
  return matchNode(tried.match, root, site.definition, (match) => {
    if (!readOnlyWithin(match, site)) return false;
    const made = tried.apply(match, site);
    if (made === undefined) {
      editor.abandon();
      return false;
    }
    editor.replace(root, match.nodes, "type" in made ? forOnlyResult(tried, root, made) : made);
    return true;
  });
}

/** True when nothing outside the match reads a value that the match means to swallow. */
function readOnlyWithin(match: Match, site: Site): boolean {
  const covered = new Set(match.nodes);
  return match.exclusive.every((node) =>
    node.results.every((v) => !site.isResult(v) && [...site.readers(v)].every((r) => covered.has(r))),
  );
}

function forOnlyResult(tried: Rule, root: Node, made: Value): readonly Replacement[] {
  const [result, ...more] = root.results;
  if (!result || more.length > 0) throw new Error(`rule ${tried.name} must say which results it replaces`);
  return [[result, made]];
}
