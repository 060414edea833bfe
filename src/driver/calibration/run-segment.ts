import type { Func } from "../../ir/graph.ts";
import type { Products } from "../../quant/products.ts";
import type { RowReader } from "../../tensor/recipe-rows.ts";
import { loadSegment, type Activations } from "./segment-code.ts";

/** What segments run on: sequences of token ids, and what reads weights. */
export type SegmentRun = {
  readonly windows: readonly (readonly number[])[];
  readonly reader: RowReader;
  readonly threads: number;
  readonly products: Products;
};

/**
 * Run a segment on every window, each on what the segment before gave for it; the function's other parameters are the
 * window's ids and positions.
 */
export async function runSegment(
  func: Func,
  { windows, reader, threads }: SegmentRun,
  given: readonly Activations[],
  onResult: (result: Activations, window: number, tokens: number) => void,
): Promise<void> {
  const longest = Math.max(...windows.map((it) => it.length));
  const code = await loadSegment(func, reader, longest, threads);
  const wanted = new Set(func.params.map((p) => p.name));
  try {
    windows.forEach((window, i) => {
      const inputs = new Map([
        ...(given[i] ?? []),
        ["ids", Int32Array.from(window)] as const,
        ["positions", Int32Array.from(window.keys())] as const,
      ]);
      for (const name of inputs.keys()) if (!wanted.has(name)) inputs.delete(name);
      onResult(code.run(inputs, window.length), i, window.length);
    });
  } finally {
    await code.close();
  }
}
