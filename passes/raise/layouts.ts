import { isOp, type Node, type NodeOf, type Value } from "../../src/ir/graph.ts";
import type { Site } from "../../src/pass/edit.ts";
import { any, constant, node, op, shared } from "../../src/pass/pattern.ts";
import { rule, rulePass } from "../../src/pass/rewrite.ts";

/** The first of consecutive whole numbers, or undefined. */
function runFrom(values: readonly number[]): number | undefined {
  const [first = 0] = values;
  return values.every((v, i) => v === first + i) ? first : undefined;
}

type Block = { readonly begin: number; readonly rows: Value };

/** The blocks of rows that a chain of scatters lays over its base, the last first; undefined where one is no block. */
function blocksOf(root: NodeOf<"scatterRows">, site: Site): readonly Block[] | undefined {
  const blocks: Block[] = [];
  for (
    let at: Node | undefined = root;
    isOp(at, "scatterRows");
    at = at.operands[0] && site.definition(at.operands[0])
  ) {
    const indices = at.operands[1] && site.definition(at.operands[1]);
    const begin = isOp(indices, "constant") ? runFrom(indices.attrs.values) : undefined;
    const rows = at.operands[2];
    if (begin === undefined || !rows || at.attrs.how !== "set") return undefined;
    blocks.push({ begin, rows });
  }
  return blocks;
}

/** Blocks that lie side by side from the first row to the last: nothing of the base is left. */
function sideBySide(blocks: readonly Block[], rows: unknown): readonly Value[] | undefined {
  let end = 0;
  const ordered = blocks.toSorted((a, b) => a.begin - b.begin);
  for (const block of ordered) {
    if (block.begin !== end) return undefined;
    end += Number(block.rows.type.dims[0]);
  }
  return end === rows && ordered.length > 1 ? ordered.map((b) => b.rows) : undefined;
}

/** Whether an index cannot be negative: it counts, or says where the largest stood. */
function isCount(value: Value, site: Site): boolean {
  const maker = site.definition(value);
  const [from] = maker?.operands ?? [];
  if (maker?.op === "iota") return true;
  if (maker?.op === "topK") return maker.results[1] === value;
  return (
    ["reshape", "cast", "broadcast", "transpose"].includes(maker?.op ?? "") &&
    from !== undefined &&
    isCount(from, site)
  );
}

/** An index before its cast to 64 bits: operators take either. */
const narrow = (name: "take" | "takeAlong" | "scatterAlong") =>
  rule({
    name: `${name}-narrow`,
    doc: `${name}(x, cast(indices)) ⟶ ${name}(x, indices)`,
    match: node("root", op(name)),
    rewrite: ({ root }, site) => {
      const [x, indices, ...rest] = root.operands;
      const maker = indices && site.definition(indices);
      const [from] = maker?.operands ?? [];
      if (!x || !from || maker?.op !== "cast" || from.type.dtype !== "i32") return undefined;
      return site.make(name, [x, from, ...rest], root.attrs as never); // of the same operator
    },
  });

/** Says what exporters do with indices as the slices, concatenations and layouts that they are. */
export const raiseLayouts = rulePass(
  "raise-layouts",
  "scatters and gathers of whole blocks ⟶ concat, slice",
  [
    rule({
      name: "scatter-to-concat",
      doc: "scatterRows(scatterRows(x, 0…a, p), a…n, q) ⟶ concat(p, q)",
      match: node("root", op("scatterRows")),
      rewrite: ({ root }, site) => {
        const blocks = blocksOf(root, site);
        const rows = blocks && sideBySide(blocks, root.results[0]?.type.dims[0]);
        return rows && site.make("concat", rows, { axis: 0 });
      },
    }),
    rule({
      name: "concat-of-transposes",
      doc: "concat(transpose(x), transpose(y)) ⟶ transpose(concat(x, y))",
      match: node("root", op("concat")),
      rewrite: ({ root }, site) => {
        const makers = root.operands.map((v) => site.definition(v)).filter((n) => isOp(n, "transpose"));
        const [first] = makers;
        if (!first || makers.length !== root.operands.length) return undefined;
        const { perm } = first.attrs;
        if (!makers.every((m) => m.attrs.perm.join() === perm.join())) return undefined;
        const parts = makers.flatMap((m) => m.operands);
        const joined = site.make("concat", parts, { axis: perm[root.attrs.axis] ?? 0 });
        return site.make("transpose", [joined], { perm });
      },
    }),
    rule({
      name: "transpose-of-units",
      doc: "transpose(x) with axes of size 1 ⟶ reshape(transpose(reshape(x)))",
      match: node("root", op("transpose", any("x"))),
      when: ({ x }) => x.type.dims.includes(1),
      rewrite: ({ root, x }, site) => {
        const kept = x.type.dims.flatMap((d, axis) => (d === 1 ? [] : [axis]));
        const plain = site.make("reshape", [x], { dims: kept.map((axis) => x.type.dims[axis] ?? 1) });
        const perm = root.attrs.perm.filter((axis) => kept.includes(axis)).map((axis) => kept.indexOf(axis));
        const turned = perm.every((axis, i) => axis === i)
          ? plain
          : site.make("transpose", [plain], { perm });
        return site.make("reshape", [turned], { dims: root.results[0]?.type.dims ?? [] });
      },
    }),
    rule({
      name: "concat-of-units",
      doc: "concat of parts with an axis of size 1 ⟶ reshape(concat of parts without it)",
      match: node("root", op("concat")),
      rewrite: ({ root }, site) => {
        const { axis } = root.attrs;
        const dims = root.results[0]?.type.dims ?? [];
        const unit = dims.findLastIndex((d, i) => d === 1 && i !== axis);
        if (unit < 0) return undefined;
        const parts = root.operands.map((v) =>
          site.make("reshape", [v], { dims: v.type.dims.toSpliced(unit, 1) }),
        );
        const joined = site.make("concat", parts, { axis: unit < axis ? axis - 1 : axis });
        return site.make("reshape", [joined], { dims });
      },
    }),
    rule({
      name: "slice-of-transpose",
      doc: "slice(transpose(x)) ⟶ transpose(slice(x))",
      match: node("outer", op("slice", shared(node("inner", op("transpose", any("x")))))),
      rewrite: ({ outer: { attrs }, inner, x }, site) => {
        const cut = site.make("slice", [x], { ...attrs, axis: inner.attrs.perm[attrs.axis] ?? 0 });
        return site.make("transpose", [cut], inner.attrs);
      },
    }),
    rule({
      name: "take-of-transpose",
      doc: "take(transpose(x), vector) ⟶ transpose(take(x, vector))",
      match: node("outer", op("take", shared(node("inner", op("transpose", any("x")))), any("at"))),
      when: ({ at }) => at.type.dims.length === 1,
      rewrite: ({ outer: { attrs }, inner, x, at }, site) => {
        const taken = site.make("take", [x, at], { axis: inner.attrs.perm[attrs.axis] ?? 0 });
        return site.make("transpose", [taken], inner.attrs);
      },
    }),
    rule({
      name: "take-to-slice",
      doc: "take(x, a, a+1, …) ⟶ slice(x)",
      match: node("root", op("take", any("x"), shared(constant("at")))),
      when: ({ at }) =>
        at.attrs.dims.length === 1 && at.attrs.values.length > 0 && (at.attrs.values[0] ?? 0) >= 0,
      rewrite: ({ root: { attrs }, x, at }, site) => {
        const begin = runFrom(at.attrs.values);
        if (begin === undefined) return undefined;
        return site.make("slice", [x], { axis: attrs.axis, begin, end: begin + at.attrs.values.length });
      },
    }),
    rule({
      name: "index-from-front",
      doc: "select(i < 0, i + n, i) of an index that counts ⟶ i",
      match: op("select", op("compare", any("i"), constant("zero")), op("add", any("i"), any("n")), any("i")),
      when: ({ i, zero }, site) => zero.attrs.values.every((v) => v === 0) && isCount(i, site),
      rewrite: ({ i }) => i,
    }),
    narrow("take"),
    narrow("takeAlong"),
    narrow("scatterAlong"),
    rule({
      name: "cast-behind-reshape",
      doc: "reshape(cast(x)) of indices ⟶ cast(reshape(x))",
      match: node("outer", op("reshape", shared(node("inner", op("cast", any("x")))))),
      when: ({ inner, x }) => inner.attrs.dtype === "i64" && x.type.dtype === "i32",
      rewrite: ({ outer, inner, x }, site) =>
        site.make("cast", [site.make("reshape", [x], { dims: outer.attrs.dims })], inner.attrs),
    }),
  ],
);
