import type { AttentionSpec } from "../../../device/kernels/attention/attention.ts";
import type { Scope } from "../kernel.ts";
import {
  alongRows,
  binary,
  compared,
  converted,
  filled,
  filledWith,
  lane,
  multiplied,
  perRow,
  reduced,
  selected,
  unary,
  withNumber,
  type Tensor,
} from "../tensors.ts";
import { minus, plus } from "../writer.ts";
import type { Keys } from "./boxes.ts";
import { shared, type Item } from "./items.ts";

/** Sums of values, the greatest score, and the sum of weights of each row. */
export type Softmax = readonly [sums: Tensor, most: Tensor, weight: Tensor];

/** What there is after one more tile of keys, given its scores and values: sums so far fall as far as the greatest score rises. */
export function turn(
  scope: Scope,
  spec: AttentionSpec,
  item: Item,
  at: Keys,
  scores: Tensor,
  v: Tensor,
  [sums, most, weight]: Softmax,
): Softmax {
  const { w } = scope;
  const scaled = withNumber(w, "scaled", "arith.mulf", scores, spec.scale);
  const seen = masked(scope, spec, item, at, scaled);
  const top = reduced(w, "top", "arith.maximumf", seen, -Infinity);
  const next = binary(w, "next", "arith.maximumf", most, top);
  const soon = unary(w, "soon", "math.exp", binary(w, "fall", "arith.subf", most, next));
  const lower = binary(w, "lower", "arith.subf", seen, alongRows(w, "next.wide", next, seen));
  const p = unary(w, "p", "math.exp", lower);
  const then = binary(w, "weight.then", "arith.mulf", weight, soon);
  const total = binary(w, "weight.now", "arith.addf", then, reduced(w, "p.sum", "arith.addf", p, 0));
  const none = filled(w, "own.none", 0, sums.sizes, "f32");
  const own = multiplied(w, "own", converted(w, "p.in", p, v.element), v, none);
  const fallen = binary(w, "sums.then", "arith.mulf", sums, alongRows(w, "soon.wide", soon, sums));
  return [binary(w, "sums.now", "arith.addf", fallen, own), next, total];
}

/** Scores of keys that a row sees; others drown. */
function masked({ w, size }: Scope, spec: AttentionSpec, item: Item, { key }: Keys, scores: Tensor): Tensor {
  const [rows = 1] = scores.sizes;
  const column = perRow(w, "column", lane(w, "column", scores.sizes.at(-1) ?? 1), scores);
  const behind = minus(w, "behind", item.to, key);
  const limit =
    shared(spec) > 1
      ? filledWith(w, "limit", behind, [rows])
      : binary(w, "limit", "arith.addf", lane(w, "row", rows), filledWith(w, "limit.first", plus(w, "own.key", minus(w, "past", plus(w, "past.all", size("P"), item.query), key), 1), [rows])); // prettier-ignore
  const isSeen = compared(w, "is.seen", "olt", column, alongRows(w, "limit.wide", limit, scores));
  return selected(w, "seen", isSeen, scores, filled(w, "drowned", -1e30, scores.sizes, "f32"));
}
