/** Whether a product's tiles fit the core that multiplies them. */
import { matrixRate } from "../../src/machine/rates.ts";
import type { Profile } from "../../src/machine/profile.ts";
import type { BufferStmt, Kernel } from "../../src/machine/schedule/kernel.ts";
import { capacityFaults } from "../../src/machine/verify/capacity.ts";
import type { Diagnostic } from "../../src/support/diagnostics.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { stageOf } from "../device/kernels/attention/tile.ts";
import type { Copies } from "./mlir/compiler.ts";

/** Rows, columns and depth that are staged at a time, of what, and which of the buffers are there twice. */
export type StagedTile = {
  readonly dtype: DType;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly copies: Copies;
};

/** Spaces in which a product's tiles, in all their copies, take more room than there is: what the verifier of schedules says. */
export function tileFaults({ dtype, m, n, k, copies }: StagedTile, profile: Profile): readonly Diagnostic[] {
  const stage = stageOf(profile);
  const acc = matrixRate(profile, dtype)?.acc ?? "f32";
  const staged = copies === "none" ? 1 : 2;
  const room = (name: string, space: string, of: DType, rows: number, cols: number, times: number): BufferStmt => ({ kind: "buffer", name, space, dtype: of, rows, cols, copies: times }); // prettier-ignore
  const body = [
    room("x", stage, dtype, m, k, staged),
    room("w", stage, dtype, n, k, staged),
    room("sums", profile.matrix.c, acc, m, n, copies === "all" ? 2 : 1),
  ];
  const parts = [{ core: profile.matrix.core, body }];
  const kernel: Kernel = { name: "product", machine: profile.name, sizes: [], tensors: [], parts };
  return capacityFaults(kernel, profile);
}
