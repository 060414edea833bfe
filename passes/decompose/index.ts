import type { Value } from "../../src/ir/graph.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import { edit } from "../../src/pass/edit.ts";
import { counter, type Pass } from "../../src/pass/pass.ts";
import { attention, cacheAppend, latentAttention, rope } from "./attention.ts";
import { headLinear, linear } from "./linear.ts";
import { expert, experts, router, silu, swiglu, swigluPacked } from "./moe.ts";
import { addRmsNorm, rmsNorm } from "./norm.ts";
import { plain, type Decomposition } from "./plain.ts";

/** Operators that say what they are in one word; the rest is plain. */
type Structured = (typeof structured)[number];
export const structured = [
  "linear",
  "headLinear",
  "rmsNorm",
  "addRmsNorm",
  "rope",
  "attention",
  "latentAttention",
  "cacheAppend",
  "silu",
  "swiglu",
  "swigluPacked",
  "router",
  "expert",
  "experts",
] as const satisfies readonly OpName[];

const decompositions: { readonly [K in Structured]: Decomposition<K> } = {
  linear,
  headLinear,
  rmsNorm,
  addRmsNorm,
  rope,
  attention,
  latentAttention,
  cacheAppend,
  silu,
  swiglu,
  swigluPacked,
  router,
  expert,
  experts,
};

const isStructured = (op: OpName): op is Structured => Object.hasOwn(decompositions, op);

/** Structured operators said in plain ones, for targets without a kernel of their own, and to check what they mean. */
export const decompose: Pass = {
  name: "decompose",
  summary: "structured operators ⟶ plain ones",
  scope: "all",
  tolerance: 1e-5,
  rules: structured,
  run: (func, enabled = () => true) => {
    const editor = edit(func);
    const { counts, add } = counter();
    editor.walk((node) => {
      if (!isStructured(node.op) || !enabled(node.op)) return;
      const rule: Decomposition<never> = decompositions[node.op];
      const made: readonly Value[] = rule(plain(editor.site), node as never); // the table is keyed by the operator
      editor.replace(
        node,
        [node],
        node.results.map((old, i) => [old, made[i] ?? old]),
      );
      add(node.op);
    });
    return { func: editor.finish(), counts };
  },
};
