import type { DType } from "../tensor/dtype.ts";

/**
 * A dimension: a number, or a sum of named dims and at most one number, e.g. `S` or `P+S`.
 * Sums are kept sorted, so that equal dims are equal strings.
 */
export type Dim = number | string;

export type TensorType = { readonly dtype: DType; readonly dims: readonly Dim[] };

export const tensor = (dtype: DType, ...dims: Dim[]): TensorType => ({ dtype, dims });

/** The sum of two dims in canonical form. */
export function addDims(a: Dim, b: Dim): Dim {
  const terms = [a, b].flatMap((d): Dim[] => (typeof d === "number" ? [d] : d.split("+")));
  const constant = terms.reduce<number>((sum, t) => (isNaN(Number(t)) ? sum : sum + Number(t)), 0);
  const names = terms.filter((t): t is string => isNaN(Number(t))).sort();
  if (names.length === 0) return constant;
  return (constant === 0 ? names : [...names, String(constant)]).join("+");
}

/** a - b where b's terms are among a's, else undefined. */
export function subtractDims(a: Dim, b: Dim): Dim | undefined {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const terms = typeof a === "number" ? [String(a)] : a.split("+");
  for (const term of typeof b === "number" ? [String(b)] : b.split("+")) {
    const at = terms.indexOf(term);
    if (at < 0) return undefined;
    terms.splice(at, 1);
  }
  return terms.map((t) => (isNaN(Number(t)) ? t : Number(t))).reduce<Dim>(addDims, 0);
}

/** The named dims that occur in a dim. */
export const dimNames = (d: Dim): readonly string[] =>
  typeof d === "number" ? [] : d.split("+").filter((t) => isNaN(Number(t)));

/** What the named dims stand for in one run. */
export type Bindings = Readonly<Record<string, number>>;

/** The number a dim stands for; an unbound name is a fault of the caller. */
export function bindDim(d: Dim, bindings: Bindings): number {
  if (typeof d === "number") return d;
  return d.split("+").reduce((sum, term) => {
    const n = isNaN(Number(term)) ? bindings[term] : Number(term);
    if (n === undefined) throw new Error(`dimension ${term} has no value`);
    return sum + n;
  }, 0);
}

export const bindDims = (dims: readonly Dim[], bindings: Bindings): number[] =>
  dims.map((d) => bindDim(d, bindings));

export const sameDims = (a: readonly Dim[], b: readonly Dim[]): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i]);

export const sameType = (a: TensorType, b: TensorType): boolean =>
  a.dtype === b.dtype && sameDims(a.dims, b.dims);

export const formatDims = (dims: readonly Dim[]): string => `[${dims.join(",")}]`;
export const formatType = (t: TensorType): string => `${t.dtype}${formatDims(t.dims)}`;

/** Numpy broadcasting of two shapes, or undefined where they do not fit. */
export function broadcastDims(a: readonly Dim[], b: readonly Dim[]): readonly Dim[] | undefined {
  const rank = Math.max(a.length, b.length);
  const out: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return undefined;
    out.push(x === 1 ? y : x);
  }
  return out;
}

/** The product of static dims; named dims count as `named` (1 for "per token" figures). */
export const sizeOf = (dims: readonly Dim[], named = 1): number =>
  dims.reduce<number>((n, d) => n * (typeof d === "number" ? d : named), 1);
