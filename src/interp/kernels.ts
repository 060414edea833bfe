import type { OpName } from "../ir/ops/index.ts";
import { attentionKernels } from "./attention.ts";
import { bitKernels } from "./bits.ts";
import { collectiveKernels } from "./collective.ts";
import { elementwiseKernels } from "./elementwise.ts";
import { cumulate, gatherKernels } from "./gather.ts";
import type { Kernel } from "./kernel.ts";
import { linearKernels } from "./linear.ts";
import { moeKernels } from "./moe.ts";
import { normKernels } from "./norm.ts";
import { quantizedKernels } from "./quantized.ts";
import { selectKernels } from "./select.ts";
import { shapeKernels } from "./shape.ts";

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
