import { fail } from "../../src/support/diagnostics.ts";
import type { OpName } from "../../src/ir/ops/index.ts";
import { expertHidden, experts, integerExperts, swigluHalves } from "./experts.ts";
import { cacheAppend, dequantizeRows, quantizeRows } from "./caches.ts";
import { collectives } from "./collectives.ts";
import { attentionScratch } from "./kernels/attention.ts";
import { hadamard, headLinear, integerLinear, linear } from "./products.ts";
import {
  address,
  copyHeads,
  count,
  flat,
  literal,
  rowsOf,
  weightArg,
  withHeads,
  type Rule,
} from "./steps.ts";
import { compactStrides, fixed, reshapeView, rowStride, sliceView } from "../../src/plan/views.ts";

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

export const lowerings: {
  readonly [K in OpName]?: Rule<K>;
} = {
  gather: (cx, { operands: [table, ids], results: [out] }) => {
    const w = cx.weight(table, "plain");
    const to = cx.output(out);
    const rows = rowsOf(to);
    cx.step(
      { kind: "embed", weight: w.dtype, n: fixed(to.dims[1], "gather") },
      [weightArg(w), address(cx.view(ids)), address(to), count(rows)],
      rows,
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
      [address(input), weightArg(cx.weight(gain, "vector")), address(to), count(rows)],
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
        weightArg(cx.weight(gain, "vector")),
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
        weightArg(cx.weight(invFreq, "vector")),
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
    const dim = fixed(qv.dims[2], "attention");
    cx.needScratch(attentionScratch(dim));
    cx.step(
      {
        kind: "attention",
        heads,
        kvHeads: fixed(kv.dims[1], "attention"),
        dim,
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

  cacheAppend,
  quantizeRows,
  dequantizeRows,

  reshape: (cx, { operands: [x], results: [out] }) => {
    const dims = out?.type.dims ?? [];
    const free = reshapeView(cx.view(x), dims);
    if (free) return cx.bind(out, free);
    const from = cx.view(x);
    const to = cx.output(out);
    copyHeads(cx, from, { ...to, dims: from.dims, strides: compactStrides(from.dims) });
  },

  slice: (cx, { operands: [x], results: [out], attrs: { axis, begin, end } }) =>
    cx.bind(out, sliceView(cx.view(x), axis, begin, end)),

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

  ...collectives,

  linear,
  integerLinear,
  hadamard,
  headLinear,
  experts,
  integerExperts,
  expertHidden,
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
    cx.needScratch(16 * input.width);
    cx.step(
      { kind: "router", experts: input.width, k: topK, ...rest, bias: bias !== undefined },
      [
        address(input.view),
        bias ? weightArg(cx.weight(bias, "vector")) : literal(0),
        address(to),
        address(shares),
        count(input.rows),
        { kind: "scratch" },
      ],
      input.rows,
    );
  },
};
