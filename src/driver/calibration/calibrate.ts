import { quantizeWeights, type WeightChoice } from "../../../passes/quantize/weights.ts";
import type { Func } from "../../ir/graph.ts";
import { runPass } from "../../pass/runner.ts";
import type { Rounder } from "../../quant/rounding/rounders.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { segmentFunc, segments } from "../../quant/segments/segments.ts";
import { rotationOf } from "../../tensor/hadamard.ts";
import { rotate } from "../../tensor/recipe.ts";
import { jobsOf, quantizeMatrix } from "./jobs.ts";
import { coverageOf, observe, withTaps, type FormatChoice } from "./observe.ts";
import { runSegment, type SegmentRun } from "./run-segment.ts";
import type { Activations } from "./segment-code.ts";
import type { Sensitivity } from "./sensitivity.ts";
import { storedMatrix, type QuantReport, type Store } from "./store.ts";

export type CalibrationTask = {
  /** The prefill function behind the pipeline's first phase. */
  readonly func: Func;
  readonly choose: FormatChoice;
  readonly round: Rounder;
  /** Columns that are rotated together in rows of so many. */
  readonly rotation: Rotation;
  /** How much what each matrix gives matters, where it is known. */
  readonly sensitivity?: Sensitivity;
  /** Experts that saw fewer tokens take what their whole layer saw. */
  readonly minExpertTokens: number;
  readonly onSegment?: (done: number, of: number) => void;
};

/** Columns that are rotated together in rows of so many; 1 where none are. */
export type Rotation = (cols: number) => number;

/** Activations that will be rounded are rotated, and weights with them, so that `shares` tensor ranks can part what is rotated. */
export const rotationFor = (activations: Scheme["activations"], shares = 1): Rotation =>
  activations === "int8" ? (cols) => rotationOf(cols, shares) : () => 1;

/**
 * Quantize every product's weights on what the model itself computes from a text. Stretches of the model run one after another, each
 * on what the quantized stretches before it give; one stretch's weights are held at a time. What `store` holds already is taken over.
 */
export async function calibrate(task: CalibrationTask, run: SegmentRun, store: Store): Promise<QuantReport> {
  const { func, choose } = task;
  const tapped = segments(func).map((it) => withTaps(func, it, choose));
  const last = tapped.findLastIndex((it) => it.taps.length > 0);
  let carried: readonly Activations[] = run.windows.map(() => new Map());
  for (const [i, it] of tapped.slice(0, last + 1).entries()) {
    if (it.taps.length > 0 && !store.has(i)) {
      const seen = await observe(func, it, run, carried);
      const coverage = it.taps.flatMap((tap, t) => coverageOf(func, tap, seen[t]));
      const jobs = it.taps.flatMap((tap, t) => jobsOf(func, tap, seen[t], task));
      const matrices = jobs.map((job) =>
        quantizeMatrix(job, task.rotation(job.matrix.shape.at(-1) ?? 1), run.reader, task.round),
      );
      store.put(i, matrices, coverage);
    }
    task.onSegment?.(i + 1, last + 1);
    if (i === last || !it.segment.output) break;
    const whole = segmentFunc(func, it.segment, [{ name: "x", value: it.segment.output }]);
    const { module } = runPass({ funcs: [whole] }, quantizeWeights(storeChoice(store, task)));
    const next: Activations[] = [];
    await runSegment(module.funcs[0] ?? whole, run, carried, (result, window) => (next[window] = result));
    carried = next;
  }
  return store.report();
}

/** The matrices of a store as what the quantizing pass puts in the place of weights. */
export const storeChoice =
  (store: Store, { choose, rotation }: Pick<CalibrationTask, "choose" | "rotation">): WeightChoice =>
  (name, role) => {
    const format = choose(name, role);
    const matrix = format && storedMatrix(store, name, format);
    return matrix && rotate(matrix, rotation(matrix.shape.at(-1) ?? 1));
  };
