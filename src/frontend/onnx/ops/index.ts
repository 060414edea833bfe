import { floatOf, type Lowering, type LoweringTable } from "../lowering.ts";
import type { OnnxNode } from "../model.ts";
import { activation, swish } from "./activation.ts";
import { attentions, previewAttentions } from "./attention.ts";
import { casts } from "./cast.ts";
import { contribAttentions } from "./contrib-attention.ts";
import { contribMixtures } from "./contrib-moe.ts";
import { contribNorms } from "./contrib-norm.ts";
import { contribQuantized } from "./contrib-quantized.ts";
import { control } from "./control.ts";
import { convolution } from "./conv.ts";
import { einsums } from "./einsum.ts";
import { elementwise } from "./elementwise.ts";
import { generate } from "./generate.ts";
import { indexing } from "./index-by.ts";
import { linear } from "./linear.ts";
import { norm } from "./norm.ts";
import { quantize } from "./quantize.ts";
import { recurrent } from "./recurrent.ts";
import { reduce } from "./reduce.ts";
import { rotary } from "./rotary.ts";
import { sequences } from "./sequence.ts";
import { shape } from "./shape.ts";

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
