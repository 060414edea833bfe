import { floorDivideDims, multiplyDims, type Dim } from "../../src/ir/dim.ts";
import { share } from "../../src/cluster/mesh.ts";
import { fail } from "../../src/support/diagnostics.ts";
import { quantizedParts } from "../../src/tensor/quantized.ts";
import type { Recipe } from "../../src/tensor/recipe.ts";
import type { Range } from "./box.ts";

/** One of so many tensor-parallel ranks. */
export type Part = { readonly of: number; readonly index: number };

const indivisible = (what: string, size: number, unit: number, parts: number): never =>
  fail("cluster/indivisible", { kind: "flag", flag: "--parallel" }, what, size, unit, parts);

/**
 * This part's share of `size` elements that come in runs of `unit`, the last of them maybe shorter. Throws `cluster/indivisible`
 * where there are fewer runs than parts.
 */
export function shareOf(size: number, unit: number, part: Part, what: string): Range {
  const units = Math.ceil(size / unit);
  if (units < part.of) return indivisible(what, size, unit, part.of);
  const [begin, end] = share(units, part.of, part.index);
  return { begin: begin * unit, end: Math.min(end * unit, size) };
}

/** The columns of a matrix that must stay together: those of one scale, or those rotated together. 1 where each stands alone. */
export function columnUnit(recipe: Recipe): number {
  const parts = quantizedParts(recipe);
  if (!parts) return 1;
  const cols = recipe.shape.at(-1) ?? 1;
  return Math.max(parts.group < cols ? parts.group : 1, parts.rotation);
}

/** The key groups of a part: a run of them, or one that several parts share. */
export function groupRange(groups: number, part: Part): Range {
  if (groups >= part.of) return shareOf(groups, 1, part, "key groups");
  if (part.of % groups) return indivisible("key groups", groups, 1, part.of);
  const begin = Math.floor((part.index * groups) / part.of);
  return { begin, end: begin + 1 };
}

/** The heads of a part, where `heads` share `groups` in order: those of its groups, or a share of those of its one group. */
export function headRange(heads: number, groups: number, part: Part): Range {
  const each = heads / groups;
  const { begin, end } = groupRange(groups, part);
  if (groups >= part.of) return { begin: Number(begin) * each, end: Number(end) * each };
  const sharers = part.of / groups;
  const within = shareOf(each, 1, { of: sharers, index: part.index % sharers }, "attention heads");
  const first = Number(begin) * each;
  return { begin: first + Number(within.begin), end: first + Number(within.end) };
}

/** So many heads of `width` columns that none of them parts `unit` columns. */
export function headUnit(width: number, unit: number): number {
  const common = (a: number, b: number): number => (b === 0 ? a : common(b, a % b));
  return unit / common(unit, width);
}

/** Part `index` of tokens that may be known only when the model runs. */
export function tokenRange(tokens: Dim, { of, index }: Part): Range {
  const cut = (i: number): Dim => floorDivideDims(multiplyDims(tokens, i), of);
  return { begin: cut(index), end: cut(index + 1) };
}
