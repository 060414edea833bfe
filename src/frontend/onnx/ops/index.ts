import { floatOf, type Lowering, type LoweringTable } from "../lowering/context.ts";
import type { OnnxNode } from "../model.ts";
import { activation, swish } from "./math/activation.ts";
import { attentions, previewAttentions } from "./attention/attention.ts";
import { casts } from "./tensor/cast.ts";
import { contribAttentions } from "./contrib/attention.ts";
import { contribMixtures } from "./contrib/moe.ts";
import { contribNorms } from "./contrib/norm.ts";
import { contribQuantized } from "./contrib/quantized.ts";
import { control } from "./tensor/control.ts";
import { convolution } from "./math/conv.ts";
import { einsums } from "./math/einsum.ts";
import { elementwise } from "./math/elementwise.ts";
import { generate } from "./tensor/generate.ts";
import { indexing } from "./tensor/indexing.ts";
import { linear } from "./math/linear.ts";
import { norm } from "./math/norm.ts";
import { quantize } from "./math/quantize.ts";
import { recurrent } from "./attention/recurrent.ts";
import { reduce } from "./math/reduce.ts";
import { rotary } from "./attention/rotary.ts";
import { sequences } from "./tensor/sequence.ts";
import { shape } from "./tensor/shape.ts";

/** The lowerings of each domain; a node of an operator that is not here is reported. */
const domains: Readonly<Record<string, LoweringTable>> = {
  "": {
    ...elementwise,
    ...activation,
    ...casts,
    ...shape,
    ...generate,
    ...indexing,
    ...reduce,
    ...linear,
    ...einsums,
    ...convolution,
    ...quantize,
    ...norm,
    ...attentions,
    ...rotary,
    ...recurrent,
    ...control,
    ...sequences,
  },
  "ai.onnx.preview": previewAttentions,
  "com.microsoft": {
    ...contribAttentions,
    ...contribMixtures,
    ...contribNorms,
    ...contribQuantized,
    QuickGelu: (cx) => [swish(cx, cx.input(0), floatOf(cx, "alpha", 1.702))],
  },
};

export function loweringOf({ domain, op }: Pick<OnnxNode, "domain" | "op">): Lowering | undefined {
  const table = Object.hasOwn(domains, domain) ? domains[domain] : undefined;
  return table && Object.hasOwn(table, op) ? table[op] : undefined;
}
