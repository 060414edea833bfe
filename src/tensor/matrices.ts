import { quantizedParts } from "./quantized.ts";
import { cast, concat, reshape, slice, stack, type Recipe } from "./recipe.ts";

/** Put something in the place of each matrix that a weight joins, stacks or cuts by rows. Gives the recipe itself where nothing changed. */
export function mapMatrices(r: Recipe, f: (matrix: Recipe) => Recipe): Recipe {
  const inner = (of: Recipe) => mapMatrices(of, f);
  const join = (parts: readonly Recipe[], make: (parts: readonly Recipe[]) => Recipe): Recipe => {
    const mapped = parts.map(inner);
    return mapped.every((it, i) => it === parts[i]) ? r : make(ofOneType(mapped));
  };
  if (quantizedParts(r)) return r;
  if (r.kind === "stack") return join(r.parts, stack);
  if (r.kind === "concat" && r.shape.length > 1) return join(r.parts, concat);
  if (r.kind === "reshape" && r.of.shape.length > 1 && r.shape.at(-1) === r.of.shape.at(-1))
    return mapped(inner(r.of), r, (of) => reshape(of, r.shape));
  if (r.kind === "slice" && r.axis < r.shape.length - 1)
    return mapped(inner(r.of), r, (of) => slice(of, r.axis, r.begin, r.end));
  if (r.shape.length === 2) return f(r);
  if (r.shape.length < 2) return r;
  const cols = r.shape.at(-1) ?? 1;
  const flat = reshape(r, [r.shape.slice(0, -1).reduce((n, d) => n * d, 1), cols]);
  const made = f(flat);
  return made === flat ? r : reshape(made, r.shape);
}

const mapped = (of: Recipe, r: Recipe & { readonly of: Recipe }, make: (of: Recipe) => Recipe): Recipe =>
  of === r.of ? r : make(of);

/** The matrices that `mapMatrices` meets, in order. */
export function matricesOf(r: Recipe): readonly Recipe[] {
  const found: Recipe[] = [];
  mapMatrices(r, (matrix) => {
    found.push(matrix);
    return matrix;
  });
  return found;
}

/** Where one part became quantized and another stayed, all are float32. */
const ofOneType = (parts: readonly Recipe[]): readonly Recipe[] =>
  parts.every((it) => it.dtype === parts[0]?.dtype) ? parts : parts.map((it) => cast(it, "f32"));
