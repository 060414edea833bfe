/** Whether a product's tiles fit the core that multiplies them. */
import type { Profile } from "../../src/machine/profile.ts";
import type { BufferStmt, Kernel } from "../../src/machine/schedule/kernel.ts";
import { capacityFaults } from "../../src/machine/verify/capacity.ts";
import type { Diagnostic } from "../../src/support/diagnostics.ts";
import { accumulatorOf, kernelName, type MatmulSpec } from "./mlir/spec.ts";

/** Spaces in which a product's tiles, in all their copies, take more room than there is: what the verifier of schedules says. */
export function tileFaults(spec: MatmulSpec, profile: Profile): readonly Diagnostic[] {
  const { input, tile, copies } = spec;
  const buffer = { kind: "buffer" } as const;
  const body: readonly BufferStmt[] = [
    { ...buffer, name: "x", space: "l1", dtype: input, rows: tile.m, cols: tile.k, copies: copies.l1 },
    { ...buffer, name: "w", space: "l1", dtype: input, rows: tile.n, cols: tile.k, copies: copies.l1 },
    {
      ...buffer,
      name: "sums",
      space: profile.matrix.c,
      dtype: accumulatorOf(input),
      rows: tile.m,
      cols: tile.n,
      copies: copies.l0c,
    },
  ];
  const parts = [{ core: profile.matrix.core, body }];
  const kernel: Kernel = {
    name: kernelName(spec),
    machine: profile.name,
    sizes: [],
    tensors: [],
    parts,
  };
  return capacityFaults(kernel, profile);
}
