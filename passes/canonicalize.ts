import { addDims } from "../src/ir/dim.ts";
import type { NodeOf, Value } from "../src/ir/graph.ts";
import { isOp } from "../src/ir/graph.ts";
import { sameDims, sameType } from "../src/ir/types.ts";
import type { Site } from "../src/pass/edit.ts";
import { any, constant, node, op, shared } from "../src/pass/pattern.ts";
import { rule, rulePass } from "../src/pass/rewrite.ts";

const isFilledWith = (c: NodeOf<"constant">, value: number): boolean =>
  c.attrs.values.length > 0 && c.attrs.values.every((v) => v === value);

/**
 * Adding zero or multiplying by one leaves x alone, as long as the constant does not widen it.
 * (-0 + 0 is 0, so the sign of a zero may change: equal numbers all the same.)
 */
const neutral = (name: "add" | "sub" | "mul" | "div", value: number) =>
  rule({
    name: `${name}-neutral`,
    doc: `${name}(x, ${value}) ⟶ x`,
    match: node("root", op(name, any("x"), constant("c"))),
    when: ({ root, x, c }) =>
      isFilledWith(c, value) &&
      root.operands[0] === x &&
      root.results.every((out) => sameType(out.type, x.type)),
    rewrite: ({ x }) => x,
  });

/** Constants stand last, and weights behind what is computed: other rules need to look in one place only. */
const rank = (value: Value, site: Site): number => {
  const maker = site.definition(value);
  return isOp(maker, "constant") ? 2 : isOp(maker, "weight") ? 1 : 0;
};

const constantLast = (name: "add" | "mul") =>
  rule({
    name: `${name}-constant-last`,
    doc: `${name}(constant, x) ⟶ ${name}(x, constant)`,
    match: node("root", op(name)),
    when: ({ root }, site) => {
      const [a, b] = root.operands;
      return a !== undefined && b !== undefined && rank(a, site) > rank(b, site);
    },
    rewrite: ({ root }, site) => site.make(name, root.operands.toReversed(), {}),
  });

const reshapeRules = [
  rule({
    name: "reshape-of-reshape",
    doc: "reshape(reshape(x)) ⟶ reshape(x)",
    match: node("outer", op("reshape", shared(op("reshape", any("x"))))),
    rewrite: ({ outer, x }, site) => site.make("reshape", [x], { dims: outer.attrs.dims }),
  }),
  rule({
    name: "reshape-to-same",
    doc: "reshape(x) to the dims of x ⟶ x",
    match: node("root", op("reshape", any("x"))),
    when: ({ root, x }) => sameDims(root.attrs.dims, x.type.dims),
    rewrite: ({ x }) => x,
  }),
  rule({
    name: "broadcast-to-same",
    doc: "broadcast(x) to the dims of x ⟶ x",
    match: node("root", op("broadcast", any("x"))),
    when: ({ root, x }) => sameDims(root.attrs.dims, x.type.dims),
    rewrite: ({ x }) => x,
  }),
  rule({
    name: "broadcast-of-broadcast",
    doc: "broadcast(broadcast(x)) ⟶ broadcast(x)",
    match: node("outer", op("broadcast", shared(op("broadcast", any("x"))))),
    rewrite: ({ outer, x }, site) => site.make("broadcast", [x], { dims: outer.attrs.dims }),
  }),
];

const transposeRules = [
  rule({
    name: "transpose-of-transpose",
    doc: "transpose(transpose(x)) ⟶ transpose(x) with both permutations in one",
    match: node("outer", op("transpose", shared(node("inner", op("transpose", any("x")))))),
    rewrite: ({ outer, inner, x }, site) =>
      site.make("transpose", [x], { perm: outer.attrs.perm.map((axis) => inner.attrs.perm[axis] ?? axis) }),
  }),
  rule({
    name: "transpose-in-place",
    doc: "transpose(x) with perm 0, 1, 2, … ⟶ x",
    match: node("root", op("transpose", any("x"))),
    when: ({ root }) => root.attrs.perm.every((axis, i) => axis === i),
    rewrite: ({ x }) => x,
  }),
];

const sliceRules = [
  rule({
    name: "slice-of-all",
    doc: "slice(x) of a whole axis ⟶ x",
    match: node("root", op("slice", any("x"))),
    when: ({ root: { attrs }, x }) => attrs.begin === 0 && attrs.end === x.type.dims[attrs.axis],
    rewrite: ({ x }) => x,
  }),
  rule({
    name: "slice-of-slice",
    doc: "slice(slice(x)) of one axis ⟶ slice(x)",
    match: node("outer", op("slice", shared(node("inner", op("slice", any("x")))))),
    when: ({ outer, inner }) => outer.attrs.axis === inner.attrs.axis,
    rewrite: ({ outer: { attrs }, inner, x }, site) => {
      const from = inner.attrs.begin;
      return site.make("slice", [x], {
        axis: attrs.axis,
        begin: addDims(from, attrs.begin),
        end: addDims(from, attrs.end),
      });
    },
  }),
  rule({
    name: "concat-of-one",
    doc: "concat(x) ⟶ x",
    match: op("concat", any("x")),
    rewrite: ({ x }) => x,
  }),
];

/** Brings what means the same into one form, so that later passes need to know only that. */
export const canonicalize = rulePass("canonicalize", "drop what does nothing, write the rest in one way", [
  constantLast("add"),
  constantLast("mul"),
  neutral("add", 0),
  neutral("sub", 0),
  neutral("mul", 1),
  neutral("div", 1),
  ...reshapeRules,
  ...transposeRules,
  ...sliceRules,
]);
