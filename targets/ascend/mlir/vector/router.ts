import type { RouterSpec } from "../../../device/kernels/vector/router.ts";
import { load, store, type Box } from "../boxes.ts";
import { elementOf } from "../elements.ts";
import type { Scope } from "../kernel.ts";
import {
  alongRows,
  binary,
  compared,
  converted,
  filled,
  filledWith,
  lane,
  like,
  perRow,
  reduced,
  reshaped,
  selected,
  unary,
  withNumber,
  type Tensor,
} from "../tensors.ts";
import { carrying, indexValue, type Writer } from "../writer.ts";
import { overRows } from "./rows.ts";

/** Tokens whose experts are chosen at once. */
const rows = 4;

/** 0, 1, 2, ... along the last axis, as float32. */
const numbered = (w: Writer, hint: string, of: Tensor): Tensor =>
  perRow(w, `${hint}.wide`, lane(w, hint, of.sizes.at(-1) ?? 1), of);

/** Numbers that no expert has. */
const beyond = 1e9;

/** Where each row has its greatest for the first time, as a row of ones there and zeros elsewhere, and which that is. */
function greatest(
  w: Writer,
  x: Tensor,
  lane: Tensor,
): { readonly most: Tensor; readonly at: Tensor; readonly is: Tensor } {
  const most = reduced(w, "most", "arith.maximumf", x, -Infinity);
  const isMost = compared(w, "is.most", "oeq", x, alongRows(w, "most.wide", most, x));
  const candidates = selected(w, "candidates", isMost, lane, filled(w, "beyond", beyond, x.sizes, "f32"));
  const at = reduced(w, "first", "arith.minimumf", candidates, beyond);
  return { most, at, is: compared(w, "is.first", "oeq", lane, alongRows(w, "first.wide", at, x)) };
}

/** x, but -inf where `is`. */
const takenOut = (w: Writer, x: Tensor, is: Tensor): Tensor =>
  selected(w, "rest", is, filled(w, "gone", -Infinity, x.sizes, "f32"), x);

function scored(w: Writer, logits: Tensor, scoring: RouterSpec["scoring"]): Tensor {
  const unit = filled(w, "unit", 1, logits.sizes, "f32");
  if (scoring === "sigmoid") {
    const negative = binary(w, "negative", "arith.subf", filled(w, "none", 0, logits.sizes, "f32"), logits);
    return binary(w, "scores", "arith.divf", unit, binary(w, "below", "arith.addf", unit, unary(w, "power", "math.exp", negative))); // prettier-ignore
  }
  const most = reduced(w, "top", "arith.maximumf", logits, -Infinity);
  const power = unary(w, "power", "math.exp", binary(w, "shifted", "arith.subf", logits, alongRows(w, "top.wide", most, logits))); // prettier-ignore
  return binary(w, "scores", "arith.divf", power, alongRows(w, "total.wide", reduced(w, "total", "arith.addf", power, 0), power)); // prettier-ignore
}

/** The choice without the experts of all groups but the best. */
function ofBestGroups(
  w: Writer,
  choice: Tensor,
  { groups, topGroups, groupScore, experts }: RouterSpec,
): Tensor {
  const size = experts / groups;
  const apart = reshaped(w, "grouped", choice, [rows, groups, size], "[[0], [1, 2]]");
  const first = greatest(w, apart, numbered(w, "lane", apart));
  const score =
    groupScore === "top2" && size > 1
      ? binary(w, "score", "arith.addf", first.most, reduced(w, "second", "arith.maximumf", takenOut(w, apart, first.is), -Infinity)) // prettier-ignore
      : first.most;
  const lane = numbered(w, "group", score);
  const none = filled(w, "none.kept", -Infinity, score.sizes, "f32");
  const [, kept] = carrying(w, "pick", [0, topGroups, 1], [score, none], (_, [left, chosen]) => {
    const best = greatest(w, like(left, score), lane);
    const more = selected(w, "kept", best.is, filled(w, "in", 0, none.sizes, "f32"), like(chosen, none));
    return [takenOut(w, like(left, score), best.is), more];
  });
  const wide = alongRows(w, "kept.wide", like(kept, none), apart);
  return reshaped(
    w,
    "choice",
    binary(w, "of.best", "arith.addf", apart, wide),
    choice.sizes,
    "[[0], [1, 2]]",
  );
}

/** The choice of experts (DeepSeek-V3, eq. 12 to 16): the greatest of a row, taken out, as often as experts are chosen, the first of equals. */
export function router(scope: Scope, spec: RouterSpec): void {
  const { w, size } = scope;
  const { experts, topK, bias, groups } = spec;
  overRows(scope, size("S"), rows, experts, ({ row, rows: here }) => {
    const box = (name: string, element: Box["array"]["element"], width: number): Box => {
      const offset = w.value(
        `${name}.offset`,
        `arith.muli ${indexValue(w, row)}, ${indexValue(w, width)} : index`,
      );
      return {
        array: { name, element },
        offset,
        strides: [width, 1],
        sizes: [rows, width],
        valid: [here, width],
      };
    };
    const logits = converted(
      w,
      "logits.real",
      load(w, "logits", box("logits", elementOf(spec.logits), experts)),
      "f32",
    );
    const scores = scored(w, logits, spec.scoring);
    const shift: Box = {
      array: { name: "bias", element: "f32" },
      offset: 0,
      strides: [1],
      sizes: [experts],
      valid: [experts],
    };
    const shifted = bias ? binary(w, "shifted", "arith.addf", scores, perRow(w, "bias.wide", load(w, "bias", shift), scores)) : scores; // prettier-ignore
    const choice = groups > 1 ? ofBestGroups(w, shifted, spec) : shifted;
    const [chosen, shares] = picked(w, choice, scores, topK);
    store(w, "indices", box("indices", "i32", topK), converted(w, "chosen.whole", chosen, "i32"));
    store(w, "weights", box("weights", "f32", topK), weighed(w, shares, spec));
  });
}

/** The experts of each row, and their scores. */
function picked(w: Writer, choice: Tensor, scores: Tensor, topK: number): readonly [Tensor, Tensor] {
  const lane = numbered(w, "expert", choice);
  const none = filled(w, "nothing", 0, [rows, topK], "f32");
  const column = numbered(w, "place", none);
  const zeros = filled(w, "zeros", 0, scores.sizes, "f32");
  const [, chosen, shares] = carrying(
    w,
    "pick",
    [0, topK, 1],
    [choice, none, none],
    (j, [left, found, parts]) => {
      const best = greatest(w, like(left, choice), lane);
      const share = reduced(w, "share", "arith.addf", selected(w, "own", best.is, scores, zeros), 0);
      const turn = filledWith(w, "turn", j, none.sizes);
      const isTurn = compared(w, "is.turn", "oeq", column, turn);
      const into = (hint: string, value: Tensor, list: Tensor): Tensor => selected(w, hint, isTurn, alongRows(w, `${hint}.wide`, value, list), list); // prettier-ignore
      return [
        takenOut(w, like(left, choice), best.is),
        into("found", best.at, like(found, none)),
        into("parts", share, like(parts, none)),
      ];
    },
  );
  return [like(chosen, none), like(shares, none)];
}

function weighed(w: Writer, shares: Tensor, { normalize, scale }: RouterSpec): Tensor {
  if (!normalize) return withNumber(w, "scaled", "arith.mulf", shares, scale);
  const total = withNumber(w, "total", "arith.addf", reduced(w, "all", "arith.addf", shares, 0), 1e-20);
  const even = binary(w, "even", "arith.divf", shares, alongRows(w, "total.wide", total, shares));
  return withNumber(w, "scaled", "arith.mulf", even, scale);
}
