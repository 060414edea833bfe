/**
 * A program is what the CPU engine runs for one phase: steps over named regions of one shared memory.
 * Each step calls one exported WebAssembly function `kernel(...args, begin, end)` on its share of `units`;
 * all threads meet at a barrier after each step. Data only, so that a plan can hold it as JSON.
 */

/** A size that depends on this call: `times` × (1, the new tokens S, or the positions T = past + S). */
export type Extent = { readonly times: number; readonly dim: "1" | "S" | "T" };

/** A kernel argument, an i32: the address of a region (plus a byte offset), a literal, or a count of this call. */
export type Arg =
  | { readonly kind: "weight"; readonly name: string }
  | { readonly kind: "buffer"; readonly name: string; readonly offset: number }
  /** Address of cache row `past`: where this call's rows are appended. */
  | { readonly kind: "cacheEnd"; readonly name: string }
  | { readonly kind: "literal"; readonly value: number }
  | { readonly kind: "extent"; readonly extent: Extent }
  /** Base address of a region private to each thread. */
  | { readonly kind: "scratch" };

export type Step = {
  /** The export of kernels.wasm. */
  readonly kernel: string;
  readonly args: readonly Arg[];
  /** How much work there is to split over the threads. */
  readonly units: Extent;
  /** The IR value this step computes, for traces and faults. */
  readonly value: string;
};

/** A region of activations: `rows` × `rowBytes` bytes; regions whose lives do not overlap may share an address. */
export type Buffer = { readonly name: string; readonly rows: Extent; readonly rowBytes: number };

/** A region that outlives the call: `context` rows of `rowBytes` bytes. */
export type Cache = { readonly name: string; readonly rowBytes: number };

export type Program = {
  /** The phase: prefill or decode. */
  readonly name: string;
  /** The most new tokens a call may bring. */
  readonly maxTokens: number;
  readonly buffers: readonly Buffer[];
  readonly steps: readonly Step[];
  /** The buffer that takes the token ids (i32 [S]) and the positions (i32 [S]), and the one that gives the logits. */
  readonly inputs: { readonly ids: string; readonly positions: string };
  readonly logits: string;
  /** Further buffers that live from the first step to the last: what a graph takes and gives. */
  readonly kept?: readonly string[];
  /** Where each router's choices lie after the last step, in order: i32 [S, k]. */
  readonly routers: readonly { readonly buffer: string; readonly k: number }[];
  /** Bytes of private scratch a thread needs: `fixed` + `perPosition` × T. */
  readonly scratch: { readonly fixed: number; readonly perPosition: number };
};
