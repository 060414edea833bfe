import type { NodeOf } from "../../src/ir/graph.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import type { DeviceRule } from "./context.ts";
import { attentionRules } from "./rules/attention.ts";
import { collectiveRules } from "./rules/collectives.ts";
import { moeRules } from "./rules/moe.ts";
import { productRules } from "./rules/products.ts";
import { rowRules } from "./rules/rows.ts";
import { rowwiseRules } from "./rules/rowwise.ts";
import { viewRules } from "./rules/views.ts";

/** How each operator becomes launches and collectives; those without a rule end a compile with a diagnostic. */
export const deviceRules: { readonly [K in OpName]?: DeviceRule<NodeOf<K>> } = {
  ...viewRules,
  ...rowwiseRules,
  ...rowRules,
  ...productRules,
  ...moeRules,
  ...attentionRules,
  ...collectiveRules,
};
