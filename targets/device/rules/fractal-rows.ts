/** Rows that are written in the device's fractals, for products that read nothing else. */
import type { Kernel } from "../../../src/machine/schedule/kernel.ts";
import type { Extent } from "../../../src/plan/program/program.ts";
import type { DeviceContext } from "../context.ts";
import { takesFractalRows } from "../kernels/matrix/flow.ts";
import type { GemmSpec } from "../kernels/matrix/spec.ts";
import { leastWork, waitsForOperands } from "../search/bounds.ts";

/**
 * Whether rows are best written in fractals, for these products of them: `write` makes the kernel that does, or one that writes them row by row. It is so
 * where products wait for their operands, and all together take less time.
 */
export function areFractal(
  cx: DeviceContext,
  products: readonly GemmSpec[],
  rows: Extent,
  write: (nz: boolean) => Kernel,
): boolean {
  const most = cx.most(rows);
  const mayBe = (it: GemmSpec): boolean =>
    takesFractalRows(cx.profile, it, most) && waitsForOperands(leastWork(cx.profile, it, most));
  if (products.length === 0 || !products.every(mayBe)) return false;
  const inAll = (nz: boolean): number =>
    products.reduce((n, it) => n + cx.tile(laid(it, nz), most).cycles, cx.cycles(write(nz), most));
  return inAll(true) < inAll(false);
}

/** A product whose rows lie so. */
export const laid = (spec: GemmSpec, nz: boolean): GemmSpec => ({
  ...spec,
  a: { ...spec.a, ...(nz && { nz }) },
});
