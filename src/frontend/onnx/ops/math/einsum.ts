import { productOf, type Dim } from "../../../../ir/dim.ts";
import type { Value } from "../../../../ir/graph.ts";
import {
  broadcast,
  dimOf,
  extent,
  fixedDim,
  inputs,
  rankOf,
  reshape,
  textOf,
  transpose,
  unsupported,
  type LoweringContext,
  type LoweringTable,
} from "../../lowering/context.ts";
import { matmul } from "./linear.ts";

/** A value with a letter for each axis. */
type Term = { readonly value: Value; readonly letters: readonly string[] };

/** The letters of one term; `...` stands for capital ones that letters of an equation do not reach. */
function lettersOf(text: string, rank: number): readonly string[] {
  const [before = "", after] = text.split("...");
  if (after === undefined) return [...before];
  const hidden = rank - before.length - after.length;
  return [...before, ...Array.from({ length: hidden }, (_, i) => `#${hidden - i}`), ...after];
}

/** A letter twice in a term: only the diagonal counts. */
function withoutRepeats(cx: LoweringContext, { value, letters }: Term): Term {
  const twice = letters.findIndex((l, i) => letters.indexOf(l) < i);
  if (twice < 0) return { value, letters };
  const first = letters.indexOf(letters[twice] ?? "");
  const size = fixedDim(dimOf(value, first), "a repeated axis");
  const rest = letters.map((_, i) => i).filter((i) => i !== first && i !== twice);
  const front = transpose(cx, value, [first, twice, ...rest]);
  const others = rest.map((i) => dimOf(value, i));
  const flat = reshape(cx, front, [size * size, ...others]);
  const at = extent(
    cx,
    Array.from({ length: size }, (_, i) => i * (size + 1)),
    [size],
  );
  const diagonal = cx.op("take", [flat, at], { axis: 0 });
  return withoutRepeats(cx, {
    value: diagonal,
    letters: [letters[first] ?? "", ...rest.map((i) => letters[i] ?? "")],
  });
}

/** Sum over the letters that nobody else needs. */
function summed(cx: LoweringContext, { value, letters }: Term, needed: ReadonlySet<string>): Term {
  const kept = letters.map((_, i) => i).filter((i) => needed.has(letters[i] ?? ""));
  const sum = letters.reduce((v, l, axis) => (needed.has(l) ? v : cx.op("reduceSum", [v], { axis })), value);
  return {
    value:
      kept.length === letters.length
        ? sum
        : reshape(
            cx,
            sum,
            kept.map((i) => dimOf(value, i)),
          ),
    letters: kept.map((i) => letters[i] ?? ""),
  };
}

/** Two terms as one batched product: letters of both that are needed after, of one, and of both that are not. */
function product(cx: LoweringContext, a: Term, b: Term, needed: ReadonlySet<string>): Term {
  const shared = a.letters.filter((l) => b.letters.includes(l));
  const batch = shared.filter((l) => needed.has(l));
  const contracted = shared.filter((l) => !needed.has(l));
  const own = (t: Term): readonly string[] => t.letters.filter((l) => !shared.includes(l));
  const sizes = new Map<string, Dim>();
  for (const t of [a, b])
    t.letters.forEach((l, i) => {
      if ((sizes.get(l) ?? 1) === 1) sizes.set(l, dimOf(t.value, i));
    });
  const size = (letters: readonly string[]): readonly Dim[] => letters.map((l) => sizes.get(l) ?? 1);
  const matrix = (t: Term, order: readonly string[], dims: readonly Dim[]): Value => {
    const turned = transpose(
      cx,
      t.value,
      order.map((l) => t.letters.indexOf(l)),
    );
    return reshape(cx, broadcast(cx, turned, size(order)), dims);
  };
  const lead = size(batch);
  const [m, k, n] = [own(a), contracted, own(b)].map((ls) => productOf(size(ls))) as [Dim, Dim, Dim];
  const left = matrix(a, [...batch, ...own(a), ...contracted], [...lead, m, k]);
  const right = matrix(b, [...batch, ...contracted, ...own(b)], [...lead, k, n]);
  const letters = [...batch, ...own(a), ...own(b)];
  return { value: reshape(cx, matmul(cx, left, right), size(letters)), letters };
}

function einsum(cx: LoweringContext): Value {
  const equation = textOf(cx, "equation", "").replace(/\s/g, "");
  const [left = "", right] = equation.split("->");
  const values = inputs(cx);
  const texts = left.split(",");
  if (texts.length !== values.length) return unsupported(`it has ${values.length} inputs for "${equation}"`);
  const terms = values.map((value, i) => ({ value, letters: lettersOf(texts[i] ?? "", rankOf(value)) }));
  const all = terms.flatMap((t) => t.letters);
  const hidden = [...new Set(all.filter((l) => l.startsWith("#")))].sort().reverse();
  const once = [...new Set(all)]
    .filter((l) => !l.startsWith("#") && all.indexOf(l) === all.lastIndexOf(l))
    .sort();
  const out =
    right === undefined
      ? [...hidden, ...once]
      : right.includes("...")
        ? lettersOf(right, right.length - 3 + hidden.length)
        : [...right];
  const [first, ...rest] = terms.map((t) => withoutRepeats(cx, t));
  if (!first) return unsupported("it has no inputs");
  const neededAfter = (i: number): ReadonlySet<string> =>
    new Set([...out, ...rest.slice(i).flatMap((t) => t.letters)]);
  const result = rest.reduce(
    (sum, term, i) =>
      product(
        cx,
        summed(cx, sum, neededAfter(i)),
        summed(cx, term, new Set([...neededAfter(i + 1), ...sum.letters])),
        neededAfter(i + 1),
      ),
    first,
  );
  const last = summed(cx, result, new Set(out));
  return transpose(
    cx,
    last.value,
    out.map((l) => last.letters.indexOf(l)),
  );
}

export const einsums: LoweringTable = { Einsum: (cx) => [einsum(cx)] };
