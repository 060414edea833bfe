/**
 * A program is what the CPU engine runs for one phase: steps over named regions of one shared memory.
 * A step calls one exported WebAssembly function `kernel(...args, begin, end)` on its share of `units`; all threads meet at a
 * barrier after each step. Or it is a collective, which one thread does with the other ranks of the plan. Data only, so that a
 * plan can hold it as JSON.
 */

/**
 * A size that depends on this call: `times` × `dim`, which is 1, the new tokens S, the positions T = past + S, a dim in S as the IR
 * writes it, such as `floor(S,2)`, or a name that a dispatch tells on its way.
 */
export type Extent = { readonly times: number; readonly dim: string };

/** A kernel argument, an i32: the address of a region (plus bytes), a literal, or a count of this call. */
export type Arg =
  | { readonly kind: "weight"; readonly name: string }
  | {
      readonly kind: "buffer";
      readonly name: string;
      readonly offset: number;
      readonly skip?: Extent | undefined;
    }
  /** Address of cache row `past`: where this call's rows are appended. */
  | { readonly kind: "cacheEnd"; readonly name: string }
  | { readonly kind: "literal"; readonly value: number }
  | { readonly kind: "extent"; readonly extent: Extent }
  /** Base address of a region private to each thread. */
  | { readonly kind: "scratch" };

export type KernelStep = {
  /** The export of kernels.wasm. */
  readonly kernel: string;
  readonly args: readonly Arg[];
  /** How much work there is to split over the threads. */
  readonly units: Extent;
  /** The IR value this step computes, for traces and faults. */
  readonly value: string;
};

/** Rows in a region: `width` bytes each, `stride` bytes from one to the next. */
export type Rows = {
  readonly buffer: string;
  readonly offset: number;
  readonly skip?: Extent | undefined;
  readonly rows: Extent;
  readonly width: number;
  readonly stride: number;
};

/** What ranks do together, as the IR's operators of the same names. */
export type Collective =
  | { readonly kind: "allReduce"; readonly from: Rows; readonly to: Rows }
  /** Axis 0 are rows, axis 1 elements of 4 bytes; `begin` counts them. */
  | {
      readonly kind: "reduceScatter";
      readonly axis: number;
      readonly begin: Extent;
      readonly from: Rows;
      readonly to: Rows;
    }
  | { readonly kind: "allGather"; readonly axis: number; readonly from: Rows; readonly to: Rows }
  | {
      readonly kind: "dispatch";
      readonly held: readonly number[];
      readonly starts: readonly number[];
      /** The dim that it tells. */
      readonly count: string;
      readonly x: Rows;
      readonly indices: Rows;
      readonly weights: Rows;
      readonly rows: Rows;
      readonly slots: Rows;
      readonly shares: Rows;
      readonly from: Rows;
    }
  | { readonly kind: "combine"; readonly rows: Rows; readonly from: Rows; readonly to: Rows }
  | { readonly kind: "send"; readonly from: Rows }
  | { readonly kind: "recv"; readonly to: Rows };

export type CollectiveStep = {
  readonly collective: Collective;
  /** The ranks that take part, in the order of the sum. */
  readonly group: readonly number[];
  readonly value: string;
};

export type Step = KernelStep | CollectiveStep;

/** A region of activations: `rows` × `rowBytes` bytes; regions whose lives do not overlap may share an address. */
export type Buffer = { readonly name: string; readonly rows: Extent; readonly rowBytes: number };

/** A region that outlives the call: `context` rows of `rowBytes` bytes. */
export type Cache = { readonly name: string; readonly rowBytes: number };

/** The most that one call of a program brings. */
export type CallLimits = {
  /** New tokens. */
  readonly maxTokens: number;
  /** Rows that a dispatch tells; absent, no more than the call brings. Groups of ranks with other sequences send theirs too. */
  readonly mostTold?: number | undefined;
};

/**
 * The limits of a phase where prefill takes so many tokens at once, and so many groups of ranks have sequences of their own: all may send
 * as many to one rank, whichever phase that is in.
 */
export const limitsOf = (phase: string, batchTokens: number, groups: number): CallLimits => ({
  maxTokens: phase === "decode" ? 1 : batchTokens,
  ...(groups > 1 && { mostTold: groups * batchTokens }),
});

export type Program = CallLimits & {
  /** The phase: prefill or decode. */
  readonly name: string;
  readonly buffers: readonly Buffer[];
  readonly steps: readonly Step[];
  /** The buffer that takes the token ids (i32 [S]) and the positions (i32 [S]), and the one that gives the logits, if this rank has them. */
  readonly inputs: { readonly ids: string; readonly positions: string };
  readonly logits?: string | undefined;
  /** Further buffers that live from the first step to the last: what a graph takes and gives. */
  readonly kept?: readonly string[];
  /** Where each router's choices lie after the last step, in order: i32 [rows, k]. */
  readonly routers: readonly { readonly buffer: string; readonly rows: Extent; readonly k: number }[];
  /** Bytes of private scratch that a thread needs. */
  readonly scratchBytes: number;
};

/** The rows that a collective reads and writes. */
export const rowsOf = (it: Collective): readonly Rows[] =>
  Object.values(it).filter((part): part is Rows => typeof part === "object" && "buffer" in part);

/** A collective with other rows in the place of its own. */
export const mapRows = (it: Collective, to: (rows: Rows) => Rows): Collective =>
  Object.fromEntries(
    Object.entries(it).map(([key, part]) => [
      key,
      typeof part === "object" && "buffer" in part ? to(part) : part,
    ]),
  ) as Collective; // of the same keys

/** Every size that a program counts by. */
export function extentsOf({ buffers, steps, routers }: Program): readonly Extent[] {
  const places = (it: { readonly skip?: Extent | undefined }) => (it.skip ? [it.skip] : []);
  const inStep = (step: Step): readonly Extent[] => {
    if ("kernel" in step)
      return [
        step.units,
        ...step.args.flatMap((arg) =>
          arg.kind === "extent" ? [arg.extent] : arg.kind === "buffer" ? places(arg) : [],
        ),
      ];
    const { collective } = step;
    const own = collective.kind === "reduceScatter" ? [collective.begin] : [];
    return [...own, ...rowsOf(collective).flatMap((it) => [it.rows, ...places(it)])];
  };
  return [...buffers.map((b) => b.rows), ...routers.map((r) => r.rows), ...steps.flatMap(inStep)];
}

/** The names of the weights that programs read. */
export function weightNames(programs: readonly Program[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const step of programs.flatMap((p) => p.steps))
    if ("kernel" in step) for (const arg of step.args) if (arg.kind === "weight") names.add(arg.name);
  return names;
}
