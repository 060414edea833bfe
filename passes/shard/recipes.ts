import { concat, reshape, slice, stack, type Recipe } from "../../src/tensor/recipe.ts";

/** Elements begin..end of an axis of a weight. Along the first axis, parts that lie outside are left out. */
export function cutRecipe(r: Recipe, axis: number, begin: number, end: number): Recipe {
  if (begin === 0 && end === r.shape[axis]) return r;
  if (axis === 0 && r.kind === "stack") return stack(r.parts.slice(begin, end));
  if (axis === 0 && r.kind === "concat") return joinedPart(r.parts, begin, end);
  if (r.kind === "slice" && r.axis === axis) return cutRecipe(r.of, axis, r.begin + begin, r.begin + end);
  return slice(r, axis, begin, end);
}

function joinedPart(parts: readonly Recipe[], begin: number, end: number): Recipe {
  let at = 0;
  return concat(
    parts.flatMap((part) => {
      const size = part.shape[0] ?? 0;
      const [from, to] = [Math.max(0, begin - at), Math.min(size, end - at)];
      at += size;
      return from < to ? [cutRecipe(part, 0, from, to)] : [];
    }),
  );
}

/** Rows begin..end of both halves of a weight [.., 2n, width], or of a vector [2n]: gate and up together. */
export function cutHalves(r: Recipe, axis: number, begin: number, end: number): Recipe {
  const half = (r.shape[axis] ?? 0) / 2;
  if (begin === 0 && end === half) return r;
  if (axis === 0) return concat([cutRecipe(r, 0, begin, end), cutRecipe(r, 0, half + begin, half + end)]);
  const halves = reshape(r, r.shape.toSpliced(axis, 1, 2, half));
  return reshape(slice(halves, axis + 1, begin, end), r.shape.with(axis, 2 * (end - begin)));
}

/** The experts of these numbers, in this order, out of a stack of all. */
export function pickExperts(r: Recipe, experts: readonly number[]): Recipe {
  const one = (e: number): Recipe => {
    if (r.kind === "stack") return r.parts[e] ?? r;
    return reshape(cutRecipe(r, 0, e, e + 1), r.shape.slice(1));
  };
  const first = experts[0] ?? 0;
  const isRun = experts.every((e, i) => e === first + i);
  return isRun ? cutRecipe(r, 0, first, first + experts.length) : stack(experts.map(one));
}
