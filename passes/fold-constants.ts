import type { NodeOf } from "../src/ir/graph.ts";
import { isOp } from "../src/ir/graph.ts";
import type { OpName } from "../src/ir/ops/index.ts";
import type { Dim } from "../src/ir/dim.ts";
import { broadcastDims } from "../src/ir/types.ts";
import { constant, node, op, weight } from "../src/pass/pattern.ts";
import { rule, rulePass } from "../src/pass/rewrite.ts";
import * as recipe from "../src/tensor/recipe.ts";

/** Constants larger than this stay computed: they would bloat the module. */
const maxSize = 1 << 16;

const allNumbers = (dims: readonly Dim[]): dims is readonly number[] =>
  dims.every((d) => typeof d === "number");

const size = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);

/** Fill a tensor by asking for the element at each index. */
function tabulate(dims: readonly number[], at: (index: readonly number[]) => number): number[] {
  const index = dims.map(() => 0);
  return Array.from({ length: size(dims) }, () => {
    const value = at(index);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      if ((index[axis] ?? 0) < (dims[axis] ?? 0)) break;
      index[axis] = 0;
    }
    return value;
  });
}

type Constant = NodeOf<"constant">["attrs"];

/** The element of a constant at an index of a shape it broadcasts to. */
function read(c: Constant, index: readonly number[]): number {
  const shift = index.length - c.dims.length;
  const offset = c.dims.reduce((sum, d, axis) => sum * d + (d === 1 ? 0 : (index[axis + shift] ?? 0)), 0);
  return c.values[offset] ?? NaN;
}

const weightRules = [
  rule({
    name: "reshape-weight",
    doc: "reshape(weight) ⟶ weight",
    match: node("root", op("reshape", weight("w"))),
    rewrite: ({ root: { attrs }, w }, site) =>
      allNumbers(attrs.dims)
        ? site.make("weight", [], { recipe: recipe.reshape(w.attrs.recipe, attrs.dims) })
        : undefined,
  }),
  rule({
    name: "slice-weight",
    doc: "slice(weight) ⟶ weight",
    match: node("root", op("slice", weight("w"))),
    rewrite: ({ root: { attrs }, w }, site) =>
      site.make("weight", [], {
        recipe: recipe.slice(w.attrs.recipe, attrs.axis, Number(attrs.begin), Number(attrs.end)),
      }),
  }),
  rule({
    name: "transpose-weight",
    doc: "transpose(weight) of the last two axes ⟶ weight",
    match: node("root", op("transpose", weight("w"))),
    when: ({ root: { attrs } }) => {
      const n = attrs.perm.length;
      return n >= 2 && attrs.perm.every((axis, i) => axis === (i < n - 2 ? i : 2 * n - 3 - i));
    },
    rewrite: ({ w }, site) => site.make("weight", [], { recipe: recipe.transpose(w.attrs.recipe) }),
  }),
  rule({
    name: "concat-weights",
    doc: "concat(weight, …) along axis 0 ⟶ weight",
    match: node("root", op("concat")),
    when: ({ root }) => root.attrs.axis === 0,
    rewrite: ({ root }, site) => {
      const parts = root.operands.map((v) => site.definition(v)).filter((n) => isOp(n, "weight"));
      if (parts.length !== root.operands.length) return undefined;
      return site.make("weight", [], { recipe: recipe.concat(parts.map((n) => n.attrs.recipe)) });
    },
  }),
];

const shapeRules = [
  rule({
    name: "reshape-constant",
    doc: "reshape(constant) ⟶ constant",
    match: node("root", op("reshape", constant("c"))),
    rewrite: ({ root: { attrs }, c }, site) =>
      allNumbers(attrs.dims) ? site.make("constant", [], { ...c.attrs, dims: attrs.dims }) : undefined,
  }),
  rule({
    name: "broadcast-constant",
    doc: "broadcast(constant) ⟶ constant",
    match: node("root", op("broadcast", constant("c"))),
    rewrite: ({ root: { attrs }, c }, site) => {
      const { dims } = attrs;
      if (!allNumbers(dims) || size(dims) > maxSize) return undefined;
      const values = tabulate(dims, (index) => read(c.attrs, index));
      return site.make("constant", [], { dtype: c.attrs.dtype, dims, values });
    },
  }),
  rule({
    name: "slice-constant",
    doc: "slice(constant) ⟶ constant",
    match: node("root", op("slice", constant("c"))),
    rewrite: ({ root: { attrs }, c }, site) => {
      const begin = Number(attrs.begin);
      const dims = c.attrs.dims.with(attrs.axis, Number(attrs.end) - begin);
      const from = (index: readonly number[]) => index.with(attrs.axis, (index[attrs.axis] ?? 0) + begin);
      // `read` takes an axis of size 1 at 0 whatever the index, which is right: begin must be 0 there.
      const values = tabulate(dims, (index) => read(c.attrs, from(index)));
      return site.make("constant", [], { dtype: c.attrs.dtype, dims, values });
    },
  }),
  rule({
    name: "transpose-constant",
    doc: "transpose(constant) ⟶ constant",
    match: node("root", op("transpose", constant("c"))),
    rewrite: ({ root: { attrs }, c }, site) => {
      const dims = attrs.perm.map((axis) => c.attrs.dims[axis] ?? 1);
      const from = (index: readonly number[]) =>
        c.attrs.dims.map((_, axis) => index[attrs.perm.indexOf(axis)] ?? 0);
      const values = tabulate(dims, (index) => read(c.attrs, from(index)));
      return site.make("constant", [], { dtype: c.attrs.dtype, dims, values });
    },
  }),
  rule({
    name: "concat-constants",
    doc: "concat(constant, …) ⟶ constant",
    match: node("root", op("concat")),
    rewrite: ({ root }, site) => {
      const { axis } = root.attrs;
      const parts = root.operands.map((v) => site.definition(v)).filter((n) => isOp(n, "constant"));
      const [first] = parts;
      if (!first || parts.length !== root.operands.length) return undefined;
      // Rows of the parts alternate: one run of each part for each index before the axis.
      const before = size(first.attrs.dims.slice(0, axis));
      const values = Array.from({ length: before }, (_, i) =>
        parts.flatMap(({ attrs }) => {
          const run = attrs.values.length / before;
          return attrs.values.slice(i * run, (i + 1) * run);
        }),
      ).flat();
      const length = parts.reduce((n, p) => n + (p.attrs.dims[axis] ?? 0), 0);
      return site.make("constant", [], {
        dtype: first.attrs.dtype,
        dims: first.attrs.dims.with(axis, length),
        values,
      });
    },
  }),
];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const binaryKernels = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
} as const satisfies Partial<Record<OpName, (a: number, b: number) => number>>;

const unaryKernels = {
  neg: (x) => -x,
  exp: Math.exp,
  sqrt: Math.sqrt,
  rsqrt: (x) => 1 / Math.sqrt(x),
  sigmoid,
  silu: (x) => x * sigmoid(x),
} as const satisfies Partial<Record<OpName, (x: number) => number>>;

const keysOf = <T extends object>(table: T) => Object.keys(table) as (keyof T)[]; // Object.keys forgets the key type

const binaryRules = keysOf(binaryKernels).map((name) =>
  rule({
    name: `${name}-constants`,
    doc: `${name}(constant, constant) ⟶ constant`,
    match: node("root", op(name)),
    rewrite: ({ root }, site) => {
      const [a, b] = root.operands.map((v) => site.definition(v));
      if (!isOp(a, "constant") || !isOp(b, "constant") || a.attrs.dtype !== "f32") return undefined;
      const dims = broadcastDims(a.attrs.dims, b.attrs.dims);
      if (!dims || !allNumbers(dims) || size(dims) > maxSize) return undefined;
      const values = tabulate(dims, (index) =>
        Math.fround(binaryKernels[name](read(a.attrs, index), read(b.attrs, index))),
      );
      return site.make("constant", [], { dtype: "f32", dims, values });
    },
  }),
);

const unaryRules = keysOf(unaryKernels).map((name) =>
  rule({
    name: `${name}-constant`,
    doc: `${name}(constant) ⟶ constant`,
    match: op(name, constant("c")),
    when: ({ c }) => c.attrs.dtype === "f32" && c.attrs.values.length <= maxSize,
    rewrite: ({ c }, site) =>
      site.make("constant", [], {
        ...c.attrs,
        values: c.attrs.values.map((v) => Math.fround(unaryKernels[name](v))),
      }),
  }),
);

/** Computes at compile time what depends on no input: on weights as a change of recipe, on constants at once. */
export const foldConstants = rulePass(
  "fold-constants",
  "compute what depends on constants alone, weights by their recipes",
  [...weightRules, ...shapeRules, ...binaryRules, ...unaryRules],
  { tolerance: 1e-6 },
);
