/**
 * The kernels of the CPU target, each for the shapes at hand: every number here becomes a constant of the generated code.
 * Strides (`ld…`, `headStride…`) count elements of 4 bytes. All activations are float32.
 */
export type WeightType = "bf16" | "f32";

/** How the weights of a matrix kernel [n, k] lie: packed (tensor/pack.ts), as numbers or as codes. */
export type WeightFormat = { weight: WeightType } | (CodedWeight & { zero: boolean });

/**
 * Signed codes, or those of E2M1, with one scale for each row and `group` columns: w = (code - zero) * scale. `group` is k or a multiple of 8;
 * the last group may be short. Scales are a packed matrix [n, ceil(k / group)] of their own, and so are the zeros, if any, as i8.
 */
export type CodedWeight = { weight: "i8" | "i4" | "f4e2m1"; group: number; scale: WeightType | "f8e8m0" };

export type KernelSpec =
  | {
      kind: "copy";
      heads: number;
      n: number;
      ldx: number;
      headStrideX: number;
      ldo: number;
      headStrideOut: number;
    }
  | { kind: "add" | "mul"; n: number; lda: number; ldb: number; ldo: number }
  | { kind: "embed"; weight: WeightType; n: number }
  | ({ kind: "linear"; k: number; n: number; ldx: number; ldo: number; bias: boolean } & WeightFormat)
  | ({
      kind: "headLinear";
      heads: number;
      k: number;
      n: number;
      ldx: number;
      ldo: number;
      headStrideX: number;
      headStrideOut: number;
    } & WeightFormat)
  | ({
      kind: "groupedLinear";
      k: number;
      n: number;
      ldx: number;
      ldo: number;
      experts: number;
      /** A slot's input row is the slot divided by this. */
      divisor: number;
    } & WeightFormat)
  | { kind: "hadamard"; n: number; ldx: number; block: number }
  | { kind: "quantizeRows"; k: number; ldx: number }
  | { kind: "dequantizeRows"; k: number }
  | ({ kind: "integerLinear"; k: number; n: number; ldo: number; bias: boolean } & CodedWeight)
  | ({
      kind: "groupedIntegerLinear";
      k: number;
      n: number;
      ldo: number;
      experts: number;
      divisor: number;
    } & CodedWeight)
  | { kind: "expertGroups"; experts: number; k: number }
  | { kind: "combine"; n: number; k: number }
  | {
      kind: "rmsNorm";
      heads: number;
      n: number;
      eps: number;
      ldx: number;
      headStrideX: number;
      ldo: number;
      headStrideOut: number;
    }
  | { kind: "addRmsNorm"; n: number; eps: number; lda: number; ldb: number }
  | {
      kind: "rope";
      heads: number;
      dim: number;
      ldx: number;
      headStrideX: number;
      ldo: number;
      headStrideOut: number;
      interleaved: boolean;
      scale: number;
    }
  | {
      kind: "attention";
      heads: number;
      kvHeads: number;
      dim: number;
      valueDim: number;
      scale: number;
      ldq: number;
      headStrideQ: number;
      ldk: number;
      headStrideK: number;
      ldv: number;
      headStrideV: number;
      ldo: number;
      headStrideO: number;
    }
  | { kind: "silu"; n: number; ldx: number; ldo: number }
  | { kind: "swiglu"; n: number; ldg: number; ldu: number; ldo: number }
  | {
      kind: "router";
      experts: number;
      k: number;
      scoring: "softmax" | "sigmoid";
      groups: number;
      topGroups: number;
      groupScore: "max" | "top2";
      normalize: boolean;
      scale: number;
      bias: boolean;
    };

export type Spec<K extends KernelSpec["kind"]> = Extract<KernelSpec, { kind: K }>;

/** The export under which a kernel is found: its kind and every number of its spec. */
export function kernelName(spec: KernelSpec): string {
  const parts = Object.entries(spec).filter(([key]) => key !== "kind");
  return [spec.kind, ...parts.map(([key, value]) => `${key}${String(value)}`)].join("_");
}
