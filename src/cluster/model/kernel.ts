/**
 * What a forecast times: the kernels of one rank, told by their sizes. A cost gives the time that each of a device's
 * means is busy; analytic.ts has one from the profile alone, and times of the simulator can take its place.
 */
import type { DType } from "../../tensor/dtype.ts";
import type { Figure } from "../../support/figure.ts";

/** Attention of so many sequences over their keys, as a rank does it. */
export type AttentionCall = {
  readonly sequences: number;
  /** New tokens of each sequence, and the positions before them. */
  readonly queries: number;
  readonly past: number;
  readonly heads: number;
  /** Heads of keys, the columns of a key, and of a value. Values of a latent cache are the first columns of its keys. */
  readonly groups: number;
  readonly dim: number;
  readonly width: number;
  readonly isLatent: boolean;
};

export type KernelSpec = { readonly name: string } & (
  | {
      /** `count` products [m, k] x [k, n], each with weights of its own. */
      readonly kind: "matmul";
      readonly m: number;
      readonly n: number;
      readonly k: number;
      readonly count: number;
      readonly math: DType;
      /** Bytes of one weight as it lies in memory. */
      readonly weightBytes: number;
      /** Whether weights become `math` on the way. */
      readonly converts: boolean;
    }
  | {
      /** Scores, softmax and sums over the cache. */
      readonly kind: "attention";
      readonly shape: AttentionCall;
      readonly multiplyAdds: number;
      readonly math: DType;
      /** Bytes of cache, queries and results. */
      readonly bytes: number;
    }
  | {
      /** Work on each number by itself or on rows: norms, activations, rounding, sorting, adding. */
      readonly kind: "rowwise";
      /** Bytes read and written. */
      readonly bytes: number;
    }
  | {
      /** Rows that vector cores round, address and send one by one. */
      readonly kind: "rows";
      readonly rows: number;
    }
);

/** Microseconds that each means of a device is busy with a kernel, and those that a kernel takes whatever its size. */
export type Busy = {
  readonly matrix: number;
  readonly memory: number;
  readonly network: number;
  readonly fixed: number;
};

export type KernelCost = {
  readonly time: (spec: KernelSpec) => Busy;
  /** What its times rest on. */
  readonly figures: readonly Figure[];
};

export const idle: Busy = { matrix: 0, memory: 0, network: 0, fixed: 0 };

/** A kernel's own time: its means work side by side. */
export const duration = ({ matrix, memory, network, fixed }: Busy): number =>
  Math.max(matrix, memory) + network + fixed;

export const plus = (a: Busy, b: Busy): Busy => ({
  matrix: a.matrix + b.matrix,
  memory: a.memory + b.memory,
  network: a.network + b.network,
  fixed: a.fixed + b.fixed,
});

export const times = (a: Busy, n: number): Busy => ({
  matrix: a.matrix * n,
  memory: a.memory * n,
  network: a.network * n,
  fixed: a.fixed * n,
});
