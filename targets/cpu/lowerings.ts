import { fail } from "../../src/support/diagnostics.ts";
import type { NodeOf, Value } from "../../src/ir/graph.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import type { Arg, Extent } from "../../src/plan/program.ts";
import type { LoweringContext } from "./lower.ts";
import {
  address,
  compactStrides,
  extentOf,
  fixed,
  reshapeView,
  rowStride,
  runLength,
  sliceView,
  type View,
} from "./views.ts";

type Rule<K extends OpName> = (cx: LoweringContext, node: NodeOf<K>) => void;

const one: Extent = { times: 1, dim: "1" };
const literal = (value: number): Arg => ({ kind: "literal", value });
const count = (extent: Extent): Arg => ({ kind: "extent", extent });
const rowsOf = (view: View, times = 1): Extent => extentOf(view.dims[0] ?? 1, times);
const weightArg = (name: string): Arg => ({ kind: "weight", name });
const blocks = (rows: number): Extent => ({ times: Math.ceil(rows / 16), dim: "1" });

/** The rows of a view and their width, all axes after the first taken as one run. */
function flat(cx: LoweringContext, value: Value | undefined): { view: View; width: number; rows: Extent } {
  const view = cx.compactRows(value);
  return { view, width: runLength(view) ?? 1, rows: rowsOf(view) };
}

/** A view of rank 2 as one head a row. */
const withHeads = (v: View): View =>
  v.dims.length === 3
    ? v
    : { ...v, dims: [v.dims[0] ?? 1, 1, ...v.dims.slice(1)], strides: [rowStride(v), 0, 1] };

/** Copy `heads` runs of each row from one view to another; a stride of 0 repeats. */
function copyHeads(cx: LoweringContext, from: View, to: View): void {
  const [x, out] = [withHeads(from), withHeads(to)];
  const rows = rowsOf(out);
  cx.step(
    {
      kind: "copy",
      heads: fixed(out.dims[1], "copy"),
      n: fixed(out.dims[2], "copy"),
      ldx: rowStride(x),
      headStrideX: x.strides[1] ?? 0,
      ldo: rowStride(out),
      headStrideOut: out.strides[1] ?? 0,
    },
    [address(x), address(out), count(rows)],
    rows,
  );
}

/** One kernel over rows: out = f(a, b). */
const rowwise =
  (kind: "add" | "mul"): Rule<"add" | "mul"> =>
  (cx, { operands: [a, b], results }) => {
    const x = flat(cx, a);
    const y = flat(cx, b);
    const out = cx.output(results[0]);
    cx.step(
      { kind, n: x.width, lda: rowStride(x.view), ldb: rowStride(y.view), ldo: rowStride(out) },
      [address(x.view), address(y.view), address(out), count(x.rows)],
      x.rows,
    );
  };

export const lowerings: { readonly [K in OpName]?: Rule<K> } = {
  gather: (cx, { operands: [table, ids], results: [out] }) => {
    const w = cx.weight(table, "plain");
    const to = cx.output(out);
    const rows = rowsOf(to);
    cx.step(
      { kind: "embed", weight: w.dtype, n: fixed(to.dims[1], "gather") },
      [weightArg(w.name), address(cx.view(ids)), address(to), count(rows)],
      rows,
    );
  },

  linear: (cx, { operands: [x, w, bias], results: [out] }) => {
    const input = flat(cx, x);
    const weight = cx.weight(w, "packed");
    const to = cx.output(out);
    const n = fixed(out?.type.dims.at(-1), "linear");
    cx.step(
      {
        kind: "linear",
        weight: weight.dtype,
        k: input.width,
        n,
        ldx: rowStride(input.view),
        ldo: n,
        bias: bias !== undefined,
      },
      [
        weightArg(weight.name),
        address(input.view),
        bias ? weightArg(cx.weight(bias, "vector").name) : literal(0),
        address(to),
        count(input.rows),
      ],
      blocks(n),
    );
  },

  headLinear: (cx, { operands: [x, w], results: [out] }) => {
    const input = cx.view(x);
    const weight = cx.weight(w, "packed");
    const to = cx.output(out);
    const [, heads, k] = input.dims.map((d, i) => (i === 0 ? 0 : fixed(d, "headLinear")));
    const n = fixed(to.dims[2], "headLinear");
    cx.step(
      {
        kind: "headLinear",
        weight: weight.dtype,
        heads: heads ?? 1,
        k: k ?? 1,
        n,
        ldx: rowStride(input),
        ldo: rowStride(to),
        headStrideX: input.strides[1] ?? 0,
        headStrideOut: to.strides[1] ?? 0,
      },
      [weightArg(weight.name), address(input), address(to), count(rowsOf(to))],
      { times: heads ?? 1, dim: "1" },
    );
  },

  rmsNorm: (cx, { operands: [x, gain], results: [out], attrs: { eps } }) => {
    const input = withHeads(cx.view(x));
    const to = withHeads(cx.output(out));
    const rows = rowsOf(input);
    cx.step(
      {
        kind: "rmsNorm",
        heads: fixed(input.dims[1], "rmsNorm"),
        n: fixed(input.dims[2], "rmsNorm"),
        eps,
        ldx: rowStride(input),
        headStrideX: input.strides[1] ?? 0,
        ldo: rowStride(to),
        headStrideOut: to.strides[1] ?? 0,
      },
      [address(input), weightArg(cx.weight(gain, "vector").name), address(to), count(rows)],
      rows,
    );
  },

  addRmsNorm: (cx, { operands: [x, residual, gain], results: [sum, out], attrs: { eps } }) => {
    const a = flat(cx, x);
    const b = flat(cx, residual);
    const total = cx.output(sum);
    const to = cx.output(out);
    cx.step(
      { kind: "addRmsNorm", n: a.width, eps, lda: rowStride(a.view), ldb: rowStride(b.view) },
      [
        address(a.view),
        address(b.view),
        weightArg(cx.weight(gain, "vector").name),
        address(total),
        address(to),
        count(a.rows),
      ],
      a.rows,
    );
  },

  rope: (cx, { operands: [x, positions, invFreq], results: [out], attrs }) => {
    const input = cx.view(x);
    const to = cx.output(out);
    const rows = rowsOf(to);
    cx.step(
      {
        kind: "rope",
        heads: fixed(input.dims[1], "rope"),
        dim: fixed(input.dims[2], "rope"),
        ldx: rowStride(input),
        headStrideX: input.strides[1] ?? 0,
        ldo: rowStride(to),
        headStrideOut: to.strides[1] ?? 0,
        interleaved: attrs.pairs === "interleaved",
        scale: attrs.scale,
      },
      [
        address(input),
        address(cx.view(positions)),
        weightArg(cx.weight(invFreq, "vector").name),
        address(to),
        count(rows),
      ],
      rows,
    );
  },

  attention: (cx, { operands: [q, k, v, mask], results: [out], attrs: { scale } }) => {
    if (mask) fail("target/unsupported-op", undefined, "attention", "it has a mask");
    const [qv, kv, vv, to] = [cx.view(q), cx.view(k), cx.view(v), cx.output(out)];
    const heads = fixed(qv.dims[1], "attention");
    cx.needScratch(0, 4);
    cx.step(
      {
        kind: "attention",
        heads,
        kvHeads: fixed(kv.dims[1], "attention"),
        dim: fixed(qv.dims[2], "attention"),
        valueDim: fixed(vv.dims[2], "attention"),
        scale,
        ldq: rowStride(qv),
        headStrideQ: qv.strides[1] ?? 0,
        ldk: rowStride(kv),
        headStrideK: kv.strides[1] ?? 0,
        ldv: rowStride(vv),
        headStrideV: vv.strides[1] ?? 0,
        ldo: rowStride(to),
        headStrideO: to.strides[1] ?? 0,
      },
      [
        address(qv),
        address(kv),
        address(vv),
        address(to),
        count(rowsOf(qv)),
        count(rowsOf(kv)),
        { kind: "scratch" },
      ],
      rowsOf(qv, heads),
    );
  },

  cacheAppend: (cx, { operands: [cache, rows], results: [out] }) => {
    const target = cx.cache(cache);
    const from = flat(cx, rows);
    cx.step(
      {
        kind: "copy",
        heads: 1,
        n: from.width,
        ldx: rowStride(from.view),
        headStrideX: 0,
        ldo: from.width,
        headStrideOut: 0,
      },
      [address(from.view), { kind: "cacheEnd", name: target.name }, count(from.rows)],
      from.rows,
    );
    cx.bind(out, target.view(out?.type.dims ?? []));
  },

  reshape: (cx, { operands: [x], results: [out] }) => {
    const dims = out?.type.dims ?? [];
    const free = reshapeView(cx.view(x), dims);
    if (free) return cx.bind(out, free);
    const from = cx.view(x);
    const to = cx.output(out);
    copyHeads(cx, from, { ...to, dims: from.dims, strides: compactStrides(from.dims) });
  },

  slice: (cx, { operands: [x], results: [out], attrs: { axis, begin, end } }) =>
    cx.bind(out, sliceView(cx.view(x), axis, fixed(begin, "slice"), fixed(end, "slice"))),

  concat: (cx, { operands, results: [out], attrs: { axis } }) => {
    const to = cx.output(out);
    let at = 0;
    for (const part of operands) {
      const from = cx.view(part);
      const size = fixed(from.dims[axis], "concat");
      copyHeads(cx, from, sliceView(to, axis, at, at + size));
      at += size;
    }
  },

  broadcast: (cx, { operands: [x], results: [out] }) => {
    const from = cx.view(x);
    const dims = out?.type.dims ?? [];
    cx.bind(out, {
      ...from,
      dims,
      strides: from.strides.map((s, i) => (from.dims[i] === 1 && dims[i] !== 1 ? 0 : s)),
    });
  },

  add: rowwise("add"),
  mul: rowwise("mul"),
  silu: (cx, { operands: [x], results: [out] }) => {
    const input = flat(cx, x);
    const to = cx.output(out);
    cx.step(
      { kind: "silu", n: input.width, ldx: rowStride(input.view), ldo: input.width },
      [address(input.view), address(to), count(input.rows)],
      input.rows,
    );
  },
  swiglu: (cx, { operands: [gate, up], results: [out] }) => {
    const g = flat(cx, gate);
    const u = flat(cx, up);
    const to = cx.output(out);
    cx.step(
      { kind: "swiglu", n: g.width, ldg: rowStride(g.view), ldu: rowStride(u.view), ldo: g.width },
      [address(g.view), address(u.view), address(to), count(g.rows)],
      g.rows,
    );
  },
  swigluPacked: (cx, { operands: [x], results: [out] }) => {
    const input = flat(cx, x);
    const to = cx.output(out);
    const n = input.width / 2;
    swigluHalves(cx, input.view, to, n, input.rows);
  },

  router: (cx, { operands: [logits, bias], results: [indices, weights], attrs }) => {
    const input = flat(cx, logits);
    const [to, shares] = [cx.output(indices), cx.output(weights)];
    const { topK, ...rest } = attrs;
    cx.needScratch(16 * input.width, 0);
    cx.step(
      { kind: "router", experts: input.width, k: topK, ...rest, bias: bias !== undefined },
      [
        address(input.view),
        bias ? weightArg(cx.weight(bias, "vector").name) : literal(0),
        address(to),
        address(shares),
        count(input.rows),
        { kind: "scratch" },
      ],
      input.rows,
    );
  },

  expertHidden: (cx, { operands: [x, indices, gateUp], results: [out] }) => {
    const groups = expertGroups(cx, indices, fixed(gateUp?.type.dims[0], "expertHidden"));
    hiddenOfExperts(cx, groups, x, gateUp, cx.output(out));
  },

  experts: (cx, { operands: [x, indices, weights, gateUp, down], results: [out] }) => {
    const [experts, width, inner] = (down?.type.dims ?? []).map((d) => fixed(d, "experts"));
    if (!experts || !width || !inner) throw new Error("down is [experts, width, inner]");
    const groups = expertGroups(cx, indices, experts);
    const gated = cx.scratchBuffer("gated", groups.slots, 4 * inner);
    const shares = cx.scratchBuffer("shares", groups.slots, 4 * width);
    hiddenOfExperts(cx, groups, x, gateUp, gated);
    groupedProduct(cx, groups, { weight: down, from: gated, to: shares, cols: inner, n: width, divisor: 1 });
    const to = cx.output(out);
    cx.step(
      { kind: "combine", n: width, k: groups.k },
      [address(shares), address(cx.view(weights)), address(to), count(groups.rows)],
      groups.rows,
    );
  },
};

/** The slots of a layer, a token's k choices one after another, in groups of one expert each. */
type Groups = {
  readonly experts: number;
  readonly k: number;
  readonly rows: Extent;
  readonly slots: Extent;
  readonly counts: View;
  readonly order: View;
};

function expertGroups(cx: LoweringContext, indices: Value | undefined, experts: number): Groups {
  const chosen = cx.view(indices);
  const rows = rowsOf(chosen);
  const k = fixed(chosen.dims[1], "experts");
  const slots = { ...rows, times: rows.times * k };
  const order = cx.scratchBuffer("groups", slots, 4);
  const counts = cx.scratchBuffer("counts", one, 4 * (experts + 1));
  cx.step(
    { kind: "expertGroups", experts, k },
    [address(chosen), address(counts), address(order), count(rows)],
    one,
  );
  return { experts, k, rows, slots, counts, order };
}

/** A product of each slot's row with the matrix [n, cols] of its expert. A slot's input row is the slot divided by `divisor`. */
type GroupedProduct = {
  readonly weight: Value | undefined;
  readonly from: View;
  readonly to: View;
  readonly cols: number;
  readonly n: number;
  readonly divisor: number;
};

function groupedProduct(cx: LoweringContext, groups: Groups, it: GroupedProduct): void {
  const weight = cx.weight(it.weight, "packed");
  const { cols: k, n, divisor } = it;
  cx.step(
    {
      kind: "groupedLinear",
      weight: weight.dtype,
      k,
      n,
      ldx: rowStride(it.from),
      ldo: n,
      experts: groups.experts,
      divisor,
    },
    [
      weightArg(weight.name),
      address(it.from),
      address(groups.counts),
      address(groups.order),
      address(it.to),
      count(groups.rows),
    ],
    blocks(n),
  );
}

/** silu(gate x) * up x of each slot's expert, into rows of slots. */
function hiddenOfExperts(
  cx: LoweringContext,
  groups: Groups,
  x: Value | undefined,
  gateUp: Value | undefined,
  to: View,
): void {
  const input = flat(cx, x);
  const n = fixed(gateUp?.type.dims[1], "experts");
  const hidden = cx.scratchBuffer("hidden", groups.slots, 4 * n);
  const from = input.view;
  groupedProduct(cx, groups, { weight: gateUp, from, to: hidden, cols: input.width, n, divisor: groups.k });
  swigluHalves(cx, hidden, to, n / 2, groups.slots);
}

/** silu(first half) * second half of each row. */
function swigluHalves(cx: LoweringContext, from: View, to: View, n: number, rows: Extent): void {
  const second = { ...from, offset: from.offset + n };
  cx.step(
    { kind: "swiglu", n, ldg: rowStride(from), ldu: rowStride(from), ldo: n },
    [address(from), address(second), address(to), count(rows)],
    rows,
  );
}
