import { exp32 } from "../../support/elementary.ts";
import type { VectorWork } from "../vector-work.ts";

/**
 * What vector engines can do to tiles, each operator defined once: its operands, its cost class, and its meaning.
 * Boxes are [rows, cols]; a `column` operand has one element a row, a `row` operand one a column. All arithmetic is float32, each
 * step rounded; results are then converted to the dtype of their buffer. What no vendor publishes, the last bit of exp and the order of a sum,
 * is as the CPU's kernels have it.
 */
export type Shape = "box" | "column" | "row";

type VectorOpFacts = {
  readonly summary: string;
  readonly operands: readonly Shape[];
  readonly result: Shape;
  /** What profiles time it by. */
  readonly work: VectorWork;
  /** How many plain numbers follow. */
  readonly values: number;
  /** Times that it goes over its operands, by its first number; once where it is absent. */
  readonly passes?: (value: number) => number;
  /** It touches one element a row; the others stay where they are. */
  readonly isSparse?: true;
  /** Its boxes are of different sizes. */
  readonly isRagged?: true;
};

const f = Math.fround;

/** Elementwise operators by the function of one element. */
export const elementwise = {
  copy: (a: number) => a,
  exp: exp32,
  sqrt: (a: number) => f(Math.sqrt(a)),
  reciprocal: (a: number) => f(1 / a),
  log: (a: number) => f(Math.log(a)),
  abs: (a: number) => Math.abs(a),
  silu: (a: number) => f(a / f(1 + exp32(-a))),
  sigmoid: (a: number) => f(1 / f(1 + exp32(-a))),
  sin: (a: number) => f(Math.sin(a)),
  cos: (a: number) => f(Math.cos(a)),
  round: (a: number) => {
    const magic = 6755399441055744; // 1.5 * 2^52: what is added to it loses its fraction, ties to even
    return a + magic - magic;
  },
  add: (a: number, b: number) => f(a + b),
  sub: (a: number, b: number) => f(a - b),
  mul: (a: number, b: number) => f(a * b),
  div: (a: number, b: number) => f(a / b),
  max: (a: number, b: number) => Math.max(a, b),
  min: (a: number, b: number) => Math.min(a, b),
  /** 1 where a < b. */
  less: (a: number, b: number) => (a < b ? 1 : 0),
  /** The first where the mask is not 0, else the second. */
  select: (mask: number, a: number, b: number) => (mask !== 0 ? a : b),
} as const;

/** The float32 lanes of a vector register of 256 bytes. */
export const lanes = 64;

/** Reductions of a row to one element: each lane takes columns `lanes` apart in order; then halves of the lanes are folded into one another. */
export const reductions = {
  sum: { start: 0, step: (a: number, b: number) => f(a + b) },
  maximum: { start: -Infinity, step: (a: number, b: number) => Math.max(a, b) },
} as const;

type Elementwise = keyof typeof elementwise;
type Reduction = keyof typeof reductions;

const slower: { readonly [K in Elementwise]?: VectorWork } = {
  exp: "transcendental",
  log: "transcendental",
  silu: "transcendental",
  sigmoid: "transcendental",
  sin: "transcendental",
  cos: "transcendental",
  sqrt: "divide",
  reciprocal: "divide",
  div: "divide",
};

const pointwise = (op: Elementwise): VectorOpFacts => ({
  summary: `${op} of each element`,
  operands: Array.from({ length: elementwise[op].length }, (): Shape => "box"),
  result: "box",
  work: slower[op] ?? "elementwise",
  values: 0,
});
const reduction = (op: Reduction): VectorOpFacts => ({
  summary: `the ${op} of each row`,
  operands: ["box"],
  result: "column",
  work: "reduce",
  values: 0,
});

const special = {
  fill: { summary: "one number everywhere", operands: [], result: "box", work: "elementwise", values: 1 },
  adds: {
    summary: "each element plus a number",
    operands: ["box"],
    result: "box",
    work: "elementwise",
    values: 1,
  },
  muls: {
    summary: "each element times a number",
    operands: ["box"],
    result: "box",
    work: "elementwise",
    values: 1,
  },
  iota: {
    summary: "element (r, c) is value + c",
    operands: [],
    result: "box",
    work: "elementwise",
    values: 1,
  },
  addRow: {
    summary: "a row added to every row",
    operands: ["box", "row"],
    result: "box",
    work: "elementwise",
    values: 0,
  },
  mulRow: {
    summary: "every row times a row",
    operands: ["box", "row"],
    result: "box",
    work: "elementwise",
    values: 0,
  },
  /** With runs of `lanes` columns, what `sum` does before it folds: rows that come in pieces are summed as if they were whole. */
  addRuns: {
    summary: "a row plus, one after another, the runs of its own width in a longer row",
    operands: ["box", "box"],
    result: "box",
    work: "elementwise",
    values: 0,
    isRagged: true,
  },
  addColumn: {
    summary: "each row plus its own number",
    operands: ["box", "column"],
    result: "box",
    work: "elementwise",
    values: 0,
  },
  subColumn: {
    summary: "each row less its own number",
    operands: ["box", "column"],
    result: "box",
    work: "elementwise",
    values: 0,
  },
  mulColumn: {
    summary: "each row times its own number",
    operands: ["box", "column"],
    result: "box",
    work: "elementwise",
    values: 0,
  },
  divColumn: {
    summary: "each row divided by its own number",
    operands: ["box", "column"],
    result: "box",
    work: "divide",
    values: 0,
  },
  lessColumn: {
    summary: "1 where an element is less than its row's number",
    operands: ["box", "column"],
    result: "box",
    work: "elementwise",
    values: 0,
  },
  isBelow: {
    summary: "1 where an element is less than a number",
    operands: ["box"],
    result: "box",
    work: "elementwise",
    values: 1,
  },
  isEqual: {
    summary: "1 where an element is a number",
    operands: ["box"],
    result: "box",
    work: "elementwise",
    values: 1,
  },
  /** What stands behind them is left as it was. */
  compress: {
    summary: "of each row the elements whose mask is not 0, moved together to its front",
    operands: ["box", "box"],
    result: "box",
    work: "gather",
    values: 0,
  },
  /** Element 2j becomes a[2j+1], element 2j+1 becomes a[2j]: what rotations of neighbours need. */
  swapPairs: { summary: "neighbours exchanged", operands: ["box"], result: "box", work: "gather", values: 0 },
  /** Element j becomes a[j + n/2 mod n]: what rotations of halves need. */
  swapHalves: {
    summary: "the halves of each row exchanged",
    operands: ["box"],
    result: "box",
    work: "gather",
    values: 0,
  },
  greatest: {
    summary: "the greatest of all elements",
    operands: ["box"],
    result: "column",
    work: "reduce",
    values: 0,
    isRagged: true,
  },
  argmax: {
    summary: "the index of each row's greatest element, the first of equals",
    operands: ["box"],
    result: "column",
    work: "reduce",
    values: 0,
  },
  setAt: {
    summary: "each row with the element at its own index replaced by a number",
    operands: ["box", "column"],
    result: "box",
    work: "gather",
    values: 1,
    isSparse: true,
  },
  takeAt: {
    summary: "the element of each row at its own index",
    operands: ["box", "column"],
    result: "column",
    work: "gather",
    values: 0,
    isSparse: true,
  },
  /**
   * Sums and differences of elements 1, 2, 4, … apart. Instructions read and write blocks of 32 bytes at strides of their own (CANN, BinaryRepeatParams),
   * so a step is one pass; those within a block are made between two transpositions of two passes each.
   */
  hadamard: {
    summary: "each `value` neighbours times Sylvester's Hadamard matrix over the root of their number",
    operands: ["box"],
    result: "box",
    work: "elementwise",
    values: 1,
    passes: (block) => Math.log2(block) + 4,
  },
} as const satisfies Record<string, VectorOpFacts>;

const entries = <K extends string>(
  keys: readonly K[],
  make: (key: K) => VectorOpFacts,
): Record<K, VectorOpFacts> => Object.fromEntries(keys.map((k) => [k, make(k)])) as Record<K, VectorOpFacts>; // fromEntries forgets the keys

export const vectorOps = {
  ...entries(Object.keys(elementwise) as Elementwise[], pointwise), // Object.keys forgets the key type
  ...entries(Object.keys(reductions) as Reduction[], reduction), // likewise
  ...special,
} as const;

export type VectorOp = keyof typeof vectorOps;
export const isVectorOp = (name: string): name is VectorOp => Object.hasOwn(vectorOps, name);
export const factsOfVector = (op: VectorOp): VectorOpFacts => vectorOps[op];
export const isElementwise = (op: VectorOp): op is Elementwise => Object.hasOwn(elementwise, op);
export const isReduction = (op: VectorOp): op is Reduction => Object.hasOwn(reductions, op);
