import { phase, type Pass, type Phase } from "../src/pass/pass.ts";
import { absorbKvB } from "./absorb-kv-b.ts";
import { balanceByTwos, balanceChannels } from "./quantize/balance-channels.ts";
import { canonicalize } from "./canonicalize.ts";
import { decompose } from "./decompose/index.ts";
import { expandLatentAttention } from "./expand-latent-attention.ts";
import { foldConstants } from "./fold-constants.ts";
import { fuseAddNorm } from "./fuse/add-norm.ts";
import { fuseGateUp } from "./fuse/gate-up.ts";
import { fuseLatentProjections } from "./fuse/latent-projections.ts";
import { fuseSwiglu } from "./fuse/swiglu.ts";
import { groupExperts } from "./group-experts.ts";
import { mergeCommon } from "./merge-common.ts";
import { raiseLayouts } from "./raise/layouts.ts";
import { raiseLinear } from "./raise/linear.ts";
import { raiseNorms } from "./raise/norms.ts";
import { raiseAttention } from "./raise/attention.ts";
import { raiseLatentAttention } from "./raise/latent-attention.ts";
import { raiseRope } from "./raise/rope.ts";
import { raiseExperts } from "./raise/experts.ts";
import { raiseQuantized } from "./raise/quantized.ts";
import { raiseRouter } from "./raise/router.ts";
import { dropUnitAxes } from "./raise/unit-axes.ts";
import { quantizeActivations } from "./quantize/activations.ts";
import { allInt8, quantizeWeights, type WeightChoice } from "./quantize/weights.ts";
import { removeDead } from "./remove-dead.ts";

/** The compiler, read from top to bottom. */
export const pipeline: readonly Phase[] = [
  phase(
    "import",
    // First: experts are by far the most nodes, and the rest walks a module many times smaller without them.
    groupExperts,
    // Before the others, so that each meets one spelling only.
    canonicalize,
    // A weight behind a reshape or a slice is no `weight` node; the fusions below look for those.
    foldConstants,
    // After folding, as two spellings of one weight are equal only then; fusions compare values by identity.
    mergeCommon,
    // Leftovers would count as readers and stop rules that need an intermediate value for themselves.
    removeDead,
  ),
  phase(
    "fuse",
    // First of the fusions: fuse-gate-up looks for swiglu.
    fuseSwiglu,
    // Again, for experts that stood behind another spelling.
    groupExperts,
    // Before fuse-latent-projections, which would join gate and up as mere siblings and hide them behind slices.
    fuseGateUp,
    // After gate and up have gone, the siblings left are the projections of attention.
    fuseLatentProjections,
    // After group-experts, which reads the sums that this pass swallows.
    fuseAddNorm,
  ),
  phase(
    "lower",
    // One operator for both phases until here, so that the fusions see the same module; now each gets its own form.
    expandLatentAttention,
    absorbKvB,
    // The fusions and lowerings leave slices of slices and reshapes of weights behind.
    canonicalize,
    foldConstants,
    // The lowered attention of one layer may read the same slice of the cache twice.
    mergeCommon,
    // Last: weights that were stacked into others must not be read by the plan.
    removeDead,
  ),
];

/** What a rank's module goes through after it was cut out. */
export const shardedPhases: readonly Phase[] = [
  phase(
    "tidy",
    canonicalize,
    // Parts of the weights of products that read the same x make one product again.
    fuseLatentProjections,
    canonicalize,
    removeDead,
  ),
];

/** What remains of the pipeline for a module that has come through its first phase. */
export const decoderPhases: readonly Phase[] = pipeline.slice(1);

/** Graphs of single operators, as exporters write them, come up to the operators of the IR first. */
const raise = phase(
  "raise",
  // One spelling, as everywhere; an exporter's copies of one value become one, so that patterns see who else reads it.
  canonicalize,
  foldConstants,
  mergeCommon,
  removeDead,
  // Weights behind their scales are weights: the products below look for those.
  raiseQuantized,
  raiseNorms,
  raiseLinear,
  // Batches of one lose their batch, a leading axis at a time, so that all that follows meets tokens as rows.
  dropUnitAxes,
  canonicalize,
  dropUnitAxes,
  canonicalize,
  dropUnitAxes,
  canonicalize,
  raiseLayouts,
  canonicalize,
  foldConstants,
  // Again, for products that stood behind another layout.
  raiseLinear,
  mergeCommon,
  removeDead,
  // Experts are gated layers, weighed by a router.
  fuseSwiglu,
  raiseRouter,
  raiseExperts,
  // Rotations before attention: latent attention tells its keys by them.
  raiseRope,
  canonicalize,
  raiseLayouts,
  canonicalize,
  raiseAttention,
  canonicalize,
  raiseLayouts,
  canonicalize,
  raiseLatentAttention,
  // Again, for heads that share keys, which only attention itself tells.
  raiseAttention,
  canonicalize,
  foldConstants,
  mergeCommon,
  removeDead,
);

/** The compiler for imported graphs: what is raised goes the way of the checkpoints. */
export const onnxPipeline: readonly Phase[] = [raise, ...pipeline];

/** What is to be quantized. */
export type Quantization = {
  readonly weights: WeightChoice;
  readonly activations: "float" | "int8";
  /** Factors of channels that make them easier to round, by the key of their group. */
  readonly factors?: (key: string) => ArrayLike<number> | undefined;
};

/** A pipeline that quantizes on its way. */
export function quantizing(
  phases: readonly Phase[],
  { weights, activations, factors }: Quantization,
): readonly Phase[] {
  // Fusions join what reads the same values, and the lowering cuts it up again: in between each matrix is whole.
  const behindFuse = phases.findIndex((it) => it.name === "fuse") + 1;
  const behindImport = phases.findIndex((it) => it.name === "import") + 1;
  return [
    ...phases.slice(0, behindImport),
    // Before the fusions, which hide what makes a channel and what reads it.
    ...(factors ? [phase("balance", balanceChannels(factors))] : []),
    ...phases.slice(behindImport, behindFuse),
    phase("quantize", quantizeWeights(weights)),
    ...phases.slice(behindFuse),
    // Last, as the lowering makes products too.
    ...(activations === "int8" ? [phase("integers", quantizeActivations, removeDead)] : []),
  ];
}

/** Passes that run when asked for by name. */
export const others: readonly Pass[] = [balanceByTwos, allInt8, quantizeActivations, decompose];

/** Every pass once, in order of its first run. */
export const passes: readonly Pass[] = [...new Set([...onnxPipeline.flatMap((p) => p.passes), ...others])];
