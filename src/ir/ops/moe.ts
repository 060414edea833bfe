import { choice, flag, float, int } from "../attributes.ts";
import { defineOp } from "../define-op.ts";
import { formatDims, sizeOf } from "../types.ts";

export const moeOps = {
  swiglu: defineOp({
    summary: "silu(gate) * up (Shazeer 2020)",
    operands: ["gate", "up"],
    results: ["out"],
    attrs: {},
    infer: ([gate, up]) =>
      gate && up && formatDims(gate.dims) === formatDims(up.dims)
        ? [gate]
        : "gate and up must be of one shape",
    flops: ([gate], _, named) => 6 * sizeOf(gate?.dims ?? [], named),
  }),
  swigluPacked: defineOp({
    summary: "silu(first half) * second half of the last axis",
    operands: ["x"],
    results: ["out"],
    attrs: {},
    infer: ([x]) => {
      const width = x?.dims.at(-1);
      if (!x || typeof width !== "number" || width % 2) return "the last axis must be even";
      return [{ dtype: x.dtype, dims: x.dims.with(-1, width / 2) }];
    },
    flops: ([x], _, named) => 3 * sizeOf(x?.dims ?? [], named),
  }),
  router: defineOp({
    summary:
      "chooses `topK` experts for each token and their weights: scores = scoring(logits), chosen by score + bias within the best groups, weighted by score alone (DeepSeek-V3, eq. 12 to 16)",
    operands: ["logits", "bias?"],
    results: ["indices", "weights"],
    attrs: {
      topK: int,
      scoring: choice("softmax", "sigmoid"),
      groups: int,
      topGroups: int,
      /** How a group is scored: by its best expert (V2) or the sum of its two best (V3). */
      groupScore: choice("max", "top2"),
      /** Divide the weights by their sum + 1e-20. */
      normalize: flag,
      scale: float,
    },
    infer: ([logits, bias], { topK, groups, topGroups }) => {
      const [s, experts] = logits?.dims ?? [];
      if (s === undefined || typeof experts !== "number") return "logits must be [S, experts]";
      if (bias && bias.dims[0] !== experts) return `bias must be [${experts}]`;
      if (experts % groups || topGroups > groups || topK > (experts / groups) * topGroups || topK < 1)
        return `cannot choose ${topK} of ${experts} experts in ${topGroups} of ${groups} groups`;
      return [
        { dtype: "i32", dims: [s, topK] },
        { dtype: "f32", dims: [s, topK] },
      ];
    },
    flops: ([logits], _, named) => 8 * sizeOf(logits?.dims ?? [], named),
  }),
  expert: defineOp({
    summary:
      "one routed expert's share of the layer: weight of `index` (0 where not chosen) * down(silu(gate x) * up x)",
    operands: ["x", "indices", "weights", "gate", "up", "down"],
    results: ["out"],
    attrs: { index: int },
    infer: ([x, indices, weights, gate, up, down]) => {
      const width = x?.dims[1];
      const inner = gate?.dims[0];
      const fits =
        gate?.dims[1] === width && up?.dims[0] === inner && up?.dims[1] === width && down?.dims[0] === width;
      if (!x || !fits || down?.dims[1] !== inner)
        return "gate, up [inner, width] and down [width, inner] must agree";
      if (!indices || formatDims(indices.dims) !== formatDims(weights?.dims ?? []))
        return "indices and weights must be of one shape";
      return [x];
    },
    flops: ([x, , , gate], _, named) => 6 * sizeOf(x?.dims ?? [], named) * Number(gate?.dims[0] ?? 0),
  }),
  expertHidden: defineOp({
    summary:
      "what experts pass from their first matrices to their last: out[s,k] = silu(gate[e] x) * up[e] x, e = indices[s,k]; gateUp as in experts",
    operands: ["x", "indices", "gateUp"],
    results: ["out"],
    attrs: {},
    infer: ([x, indices, gateUp]) => {
      const [, inner2, width] = gateUp?.dims ?? [];
      const [s, k] = indices?.dims ?? [];
      if (!x || x.dims[1] !== width || typeof inner2 !== "number" || s === undefined || k === undefined)
        return "gateUp must be [experts, 2 inner, width], x [S, width], indices [S, k]";
      return [{ dtype: "f32", dims: [s, k, inner2 / 2] }];
    },
    flops: ([x, indices, gateUp], _, named) =>
      2 * sizeOf(x?.dims ?? [], named) * Number(indices?.dims[1] ?? 0) * Number(gateUp?.dims[1] ?? 0),
  }),
  experts: defineOp({
    summary:
      "the routed experts of a layer: out[s] = sum over k of weights[s,k] * down[e] (silu(gate[e] x) * up[e] x), e = indices[s,k], nothing where that is negative; gateUp is [experts, 2 inner, width]",
    operands: ["x", "indices", "weights", "gateUp", "down"],
    results: ["out"],
    attrs: {},
    infer: ([x, indices, weights, gateUp, down]) => {
      const [experts, inner2, width] = gateUp?.dims ?? [];
      if (!x || x.dims[1] !== width || down?.dims[0] !== experts || down?.dims[1] !== width)
        return "gateUp [experts, 2 inner, width] and down [experts, width, inner] must agree with x";
      if (Number(down?.dims[2]) * 2 !== inner2) return "gateUp must be twice as tall as down is wide";
      if (!indices || formatDims(indices.dims) !== formatDims(weights?.dims ?? []))
        return "indices and weights must be of one shape";
      return [x];
    },
    flops: ([x, indices, , , down], _, named) =>
      6 * sizeOf(x?.dims ?? [], named) * Number(indices?.dims[1] ?? 0) * Number(down?.dims[2] ?? 0),
  }),
} as const;
