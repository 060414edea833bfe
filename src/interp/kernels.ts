import type { OpName } from "../ir/ops/index.ts";
import { attentionKernels } from "./kernels/attention.ts";
import { bitKernels } from "./kernels/bits.ts";
import { collectiveKernels } from "./kernels/collective.ts";
import { elementwiseKernels } from "./kernels/elementwise.ts";
import { cumulate, gatherKernels } from "./kernels/gather.ts";
import type { Kernel } from "./kernel.ts";
import { linearKernels } from "./kernels/linear.ts";
import { moeKernels } from "./kernels/moe.ts";
import { normKernels } from "./kernels/norm.ts";
import { quantizedKernels } from "./kernels/quantized.ts";
import { selectKernels } from "./kernels/select.ts";
import { shapeKernels } from "./kernels/shape.ts";

/** Reference semantics of every operator; leaving one out does not compile. */
export const kernels: { readonly [K in OpName]: Kernel<K> } = {
  ...shapeKernels,
  ...elementwiseKernels,
  ...bitKernels,
  ...selectKernels,
  ...gatherKernels,
  ...linearKernels,
  ...normKernels,
  cumulate,
  ...attentionKernels,
  ...moeKernels,
  ...quantizedKernels,
  ...collectiveKernels,
};
