import { defineOp } from "../define-op.ts";
import type { Dim } from "../dim.ts";
import { dtypes, type DType } from "../../tensor/dtype.ts";
import { formatDims, sizeOf } from "../types.ts";

const exact: ReadonlySet<DType> = new Set<DType>(["f64", "i32", "u32", "i64", "u64"]);

/** Wide integers and doubles multiply among themselves; all other floats give float32. */
function productDType(a: DType, b: DType): DType | undefined {
  if (exact.has(a)) return a === b ? a : undefined;
  return dtypes[a].kind === "float" && dtypes[b].kind === "float" && b !== "f64" ? "f32" : undefined;
}

export const linearOps = {
  linear: defineOp({
    summary: "x @ w^T + bias over the last axis; w is [out, in] in any float dtype, the result float32",
    operands: ["x", "w", "bias?"],
    results: ["out"],
    attrs: {},
    infer: ([x, w, bias]) => {
      const [n, k] = w?.dims ?? [];
      if (!x || !w || n === undefined || k === undefined || w.dims.length !== 2) return "w must be [out, in]";
      if (x.dims.at(-1) !== k) return `x ${formatDims(x.dims)} does not end in ${k}`;
      if (bias && (bias.dims.length !== 1 || bias.dims[0] !== n)) return `bias must be [${n}]`;
      return [{ dtype: "f32", dims: [...x.dims.slice(0, -1), n] }];
    },
    flops: ([x, w], _, named) => 2 * sizeOf(x?.dims ?? [], named) * Number(w?.dims[0] ?? 0),
  }),
  headLinear: defineOp({
    summary: "a matrix of its own for each head: out[s,h] = w[h] @ x[s,h]; w is [heads, out, in]",
    operands: ["x", "w"],
    results: ["out"],
    attrs: {},
    infer: ([x, w]) => {
      const [s, h, k] = x?.dims ?? [];
      const [wh, n, wk] = w?.dims ?? [];
      if (s === undefined || n === undefined || h !== wh || k !== wk || w?.dims.length !== 3)
        return `x ${formatDims(x?.dims ?? [])} does not fit w ${formatDims(w?.dims ?? [])}`;
      return [{ dtype: "f32", dims: [s, wh, n] as readonly Dim[] }];
    },
    flops: ([x, w], _, named) => 2 * sizeOf(x?.dims ?? [], named) * Number(w?.dims[1] ?? 0),
  }),
  matmul: defineOp({
    summary: "a @ b over the last two axes, leading axes broadcast",
    operands: ["a", "b"],
    results: ["out"],
    attrs: {},
    infer: ([a, b]) => {
      if (!a || !b || a.dims.length < 2 || b.dims.length < 2) return "needs two operands of rank 2 or more";
      const [m, k] = a.dims.slice(-2);
      const [kb, n] = b.dims.slice(-2);
      const lead = a.dims.slice(0, -2);
      const same = formatDims(lead) === formatDims(b.dims.slice(0, -2)) || b.dims.length === 2;
      if (k !== kb || m === undefined || n === undefined || !same)
        return `${formatDims(a.dims)} and ${formatDims(b.dims)} do not multiply`;
      const dtype = productDType(a.dtype, b.dtype);
      return dtype ? [{ dtype, dims: [...lead, m, n] }] : `${a.dtype} and ${b.dtype} do not multiply`;
    },
    flops: ([a, b], _, named) => 2 * sizeOf(a?.dims ?? [], named) * sizeOf(b?.dims.slice(-1) ?? [], named),
  }),
} as const;
