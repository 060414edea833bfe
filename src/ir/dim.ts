/**
 * Dimensions: whole numbers, and polynomials in named dims where a size is known only when a model runs, e.g. `S`, `P+S`,
 * `8*S+1`. What is no polynomial stands as a call inside one: `floor(S,4)`, `mod(S,4)`, `min(S,128)`, `max(S,1)`.
 * Polynomials are kept in one canonical spelling, so that equal dims are equal strings. Named dims are never negative.
 */
export type Dim = number | string;

/** What the named dims stand for in one run. */
export type Bindings = Readonly<Record<string, number>>;

type Call = "floor" | "mod" | "min" | "max";

/** Coefficients by monomial: the sorted factors joined by `*`, empty for the constant. */
type Polynomial = ReadonlyMap<string, number>;

/** Cut `text` where `at` holds outside of parentheses. */
function cut(text: string, separator: RegExp): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? "";
    if (c === "(") depth++;
    else if (c === ")") depth--;
    else if (depth === 0 && i > from && separator.test(c)) {
      parts.push(text.slice(from, i));
      from = c === "-" ? i : i + 1; // a minus belongs to the term it begins
    }
  }
  return [...parts, text.slice(from)];
}

const isNumber = (text: string): boolean => /^-?\d+$/.test(text);

function read(d: Dim): Polynomial {
  if (typeof d === "number") return new Map([["", d]]);
  const terms = new Map<string, number>();
  for (const term of cut(d, /[+-]/)) {
    const factors = cut(term, /\*/);
    const coefficient = factors.filter(isNumber).reduce((n, f) => n * Number(f), 1);
    const key = factors
      .filter((f) => !isNumber(f))
      .sort()
      .join("*");
    terms.set(key, (terms.get(key) ?? 0) + coefficient);
  }
  return terms;
}

const byName = ([a]: readonly [string, number], [b]: readonly [string, number]): number =>
  a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1;

/** The canonical spelling: monomials by name, the constant last. */
function write(p: Polynomial): Dim {
  const terms = [...p].filter(([, c]) => c !== 0).sort(byName);
  if (terms.every(([key]) => key === "")) return terms[0]?.[1] ?? 0;
  return terms
    .map(([key, c]) => (key === "" ? String(c) : c === 1 ? key : `${c}*${key}`))
    .reduce((text, term) => text + (term.startsWith("-") ? "" : "+") + term);
}

function combine(a: Polynomial, b: Polynomial, scale: number): Polynomial {
  const sum = new Map(a);
  for (const [key, c] of b) sum.set(key, (sum.get(key) ?? 0) + scale * c);
  return sum;
}

function multiply(a: Polynomial, b: Polynomial): Polynomial {
  const product = new Map<string, number>();
  for (const [x, c] of a)
    for (const [y, d] of b) {
      const key = [...cut(x, /\*/), ...cut(y, /\*/)]
        .filter((f) => f !== "")
        .sort()
        .join("*");
      product.set(key, (product.get(key) ?? 0) + c * d);
    }
  return product;
}

const both =
  (numbers: (a: number, b: number) => number, dims: (a: Dim, b: Dim) => Dim) =>
  (a: Dim, b: Dim): Dim =>
    typeof a === "number" && typeof b === "number" ? numbers(a, b) : dims(a, b);

export const addDims = both(
  (a, b) => a + b,
  (a, b) => write(combine(read(a), read(b), 1)),
);
export const subtractDims = both(
  (a, b) => a - b,
  (a, b) => write(combine(read(a), read(b), -1)),
);
export const multiplyDims = both(
  (a, b) => a * b,
  (a, b) => write(multiply(read(a), read(b))),
);

/**
 * Whether two sizes can be the same as far as is known: what holds a call such as `min(S,4)` may be equal to anything, and the run
 * tells.
 */
export const mayEqual = (a: Dim, b: Dim): boolean => a === b || isOpen(a) || isOpen(b);
const isOpen = (d: Dim): boolean => typeof d === "string" && d.includes("(");

/** The plainer of two dims that should be equal. */
export const plainer = (a: Dim, b: Dim): Dim => (String(b).length < String(a).length ? b : a);

/** The product of dims: the number of elements of a shape. */
export const productOf = (dims: readonly Dim[]): Dim => dims.reduce(multiplyDims, 1);

/** x / y where y's factors are among x's, else undefined. */
function divideMonomials(x: string, y: string): string | undefined {
  const rest = cut(x, /\*/).filter((f) => f !== "");
  for (const factor of cut(y, /\*/).filter((f) => f !== "")) {
    const at = rest.indexOf(factor);
    if (at < 0) return undefined;
    rest.splice(at, 1);
  }
  return rest.join("*");
}

/** a / b where it comes out even for all values of the named dims, else undefined: long division by b's first term. */
export function divideDims(a: Dim, b: Dim): Dim | undefined {
  if (typeof a === "number" && typeof b === "number") return a % b === 0 ? a / b : undefined;
  const divisor = read(b);
  const [lead] = [...divisor].filter(([, c]) => c !== 0).sort(byName);
  if (!lead) return undefined;
  let [rest, quotient]: [Polynomial, Polynomial] = [read(a), new Map<string, number>()];
  for (let first = leading(rest); first; first = leading(rest)) {
    const key = divideMonomials(first[0], lead[0]);
    if (key === undefined || first[1] % lead[1] !== 0) return undefined;
    const term = new Map([[key, first[1] / lead[1]]]);
    quotient = combine(quotient, term, 1);
    rest = combine(rest, multiply(term, divisor), -1);
  }
  return write(quotient);
}

const leading = (p: Polynomial): readonly [string, number] | undefined =>
  [...p].filter(([, c]) => c !== 0).sort(byName)[0];

const call = (name: Call, a: Dim, b: Dim): Dim => `${name}(${a},${b})`;

/** The whole part of a / b. */
export const floorDivideDims = both(
  (a, b) => Math.floor(a / b),
  (a, b) => divideDims(a, b) ?? call("floor", a, b),
);
/** The least whole number not below a / b. */
export const ceilDivideDims = (a: Dim, b: number): Dim =>
  typeof a === "number" ? Math.ceil(a / b) : floorDivideDims(addDims(a, b - 1), b);
export const moduloDims = both(
  (a, b) => a - Math.floor(a / b) * b,
  (a, b) => (divideDims(a, b) === undefined ? call("mod", a, b) : 0),
);

/** Exporters write "to the end" as the largest 32- or 64-bit number. */
const endless = 2 ** 31 - 1;

/** Names of dims that are never zero either. */
export type Positive = ReadonlySet<string>;
const none: Positive = new Set();

/** A lower bound without calls taken away: floor(x,n) is at most x / n, and mod(x,n) at most n - 1. */
function atMost(p: Polynomial): Polynomial {
  let bound: Polynomial = new Map();
  for (const [key, c] of p) {
    const it = callOf(key);
    const n = Number(it?.args[1]);
    const [x = 0] = it?.args ?? [];
    if (it?.name === "floor" && c < 0 && Number.isInteger(c / n)) bound = combine(bound, read(x), c / n);
    else if (it?.name === "mod" && c < 0 && n > 0) bound = combine(bound, read(n - 1), c);
    else bound = combine(bound, new Map([[key, c]]), 1);
  }
  return bound;
}

/** The least a - b can be, or undefined where it has no such bound. */
function leastDifference(a: Dim, b: Dim, positive: Positive): number | undefined {
  let least = 0;
  for (const [key, c] of atMost(read(subtractDims(a, b)))) {
    if (key === "") least += c;
    else if (c < 0) return undefined;
    else if (cut(key, /\*/).every((f) => positive.has(f))) least += c;
  }
  return least;
}

/** The sign of a - b where it is the same for all values of the named dims, else undefined. */
export function compareDims(a: Dim, b: Dim, positive = none): number | undefined {
  if (typeof a === "number" && typeof b === "number") return Math.sign(a - b);
  if (a === b) return 0;
  if (typeof a === "number" && Math.abs(a) >= endless) return Math.sign(a);
  if (typeof b === "number" && Math.abs(b) >= endless) return -Math.sign(b);
  if ((leastDifference(a, b, positive) ?? 0) > 0) return 1;
  if ((leastDifference(b, a, positive) ?? 0) > 0) return -1;
  return undefined;
}

/** Whether a >= b for all values of the named dims. */
export function atLeast(a: Dim, b: Dim, positive = none): boolean {
  const sign = compareDims(a, b, positive);
  return sign === undefined ? (leastDifference(a, b, positive) ?? -1) >= 0 : sign >= 0;
}

export const maxDims = (a: Dim, b: Dim, positive = none): Dim =>
  atLeast(a, b, positive) ? a : atLeast(b, a, positive) ? b : call("max", ...inOrder(a, b));
export const minDims = (a: Dim, b: Dim, positive = none): Dim =>
  atLeast(a, b, positive) ? b : atLeast(b, a, positive) ? a : call("min", ...inOrder(a, b));
const inOrder = (a: Dim, b: Dim): [Dim, Dim] => (String(a) < String(b) ? [a, b] : [b, a]);

/** Name and arguments of a factor that is a call. */
function callOf(factor: string): { readonly name: string; readonly args: readonly string[] } | undefined {
  const open = factor.indexOf("(");
  return open < 0 || cut(factor, /\*/).length > 1
    ? undefined
    : { name: factor.slice(0, open), args: cut(factor.slice(open + 1, -1), /,/) };
}

const factorsOf = (d: Dim): readonly string[] =>
  [...read(d).keys()].flatMap((key) => cut(key, /\*/)).filter((f) => f !== "");

/** The named dims that occur in a dim. */
export const dimNames = (d: Dim): readonly string[] =>
  typeof d === "number"
    ? []
    : factorsOf(d)
        .flatMap((f) => callOf(f)?.args.flatMap(dimNames) ?? [f])
        .filter((f) => !isNumber(f));

const calls: { readonly [K in Call]: (a: Dim, b: Dim) => Dim } = {
  floor: floorDivideDims,
  mod: moduloDims,
  min: minDims,
  max: maxDims,
};
const isCall = (name: string): name is Call => name in calls;

/** The dim `name(a, b)` of the text form, or undefined where there is no such function. */
export const callDims = (name: string, a: Dim, b: Dim): Dim | undefined =>
  isCall(name) ? calls[name](a, b) : undefined;

/** The number a dim stands for; an unbound name is a fault of the caller. */
export function bindDim(d: Dim, bindings: Bindings): number {
  if (typeof d === "number") return d;
  const factor = (f: string): number => {
    const it = callOf(f);
    if (it && isCall(it.name)) {
      const [a = 0, b = 0] = it.args.map((arg) => bindDim(isNumber(arg) ? Number(arg) : arg, bindings));
      return Number(calls[it.name](a, b));
    }
    const n = bindings[f];
    if (n === undefined) throw new Error(`dimension ${f} has no value`);
    return n;
  };
  let sum = 0;
  for (const [key, c] of read(d)) sum += cut(key, /\*/).reduce((n, f) => (f === "" ? n : n * factor(f)), c);
  return sum;
}

/** A dim with another in the place of a named one. */
export function substituteDim(d: Dim, name: string, by: Dim): Dim {
  if (typeof d === "number") return d;
  const factor = (f: string): Dim => {
    const it = callOf(f);
    const [a = 0, b = 0] = (it?.args ?? []).map((arg) =>
      substituteDim(isNumber(arg) ? Number(arg) : arg, name, by),
    );
    if (it && isCall(it.name)) return calls[it.name](a, b);
    return f === name ? by : f;
  };
  let sum: Dim = 0;
  for (const [key, c] of read(d)) {
    const factors = cut(key, /\*/).filter((f) => f !== "");
    sum = addDims(sum, factors.map(factor).reduce(multiplyDims, c));
  }
  return sum;
}

export const bindDims = (dims: readonly Dim[], bindings: Bindings): number[] =>
  dims.map((d) => bindDim(d, bindings));
